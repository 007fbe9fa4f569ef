/**
 * How sure an identity probe may be of a device that nobody knows.
 *
 * The idea: a slave that says 0 (or 1, or 0xFFFF) at every address fits many a probe; what it fits
 * is possible and never certain, for every profile there is. It refuses to look into profiles.
 */
import { describe, expect, it } from "vitest";
import { identityProbe } from "#drivers/identity-probe.js";
import { loadProfile, profileIds } from "#drivers/profile-loader.js";

function probeOf(id: string) {
  const loaded = loadProfile(id);
  if (!loaded.ok) throw new TypeError(`${id} does not load`);
  return identityProbe(loaded.value);
}

/** Every register holds the word, or the registers named here something else. */
function slave(word: number, special: { readonly [address: number]: number } = {}) {
  return (pdu: Uint8Array): Uint8Array => {
    const [fc = 0, high = 0, low = 0, , count = 0] = pdu;
    const first = (high << 8) | low;
    if (fc <= 2)
      return Uint8Array.of(
        fc,
        Math.ceil(count / 8),
        ...Array(Math.ceil(count / 8)).fill((word & 1) * 0xff),
      );
    const words = Array.from({ length: count }, (_, i) => special[first + i] ?? word);
    return Uint8Array.of(fc, 2 * count, ...words.flatMap((one) => [one >> 8, one & 0xff]));
  };
}

describe("identity probes", () => {
  it.each(profileIds())("%s: a blank slave is never certain", (id) => {
    const probe = probeOf(id);
    for (const word of [0, 1, 0xffff]) {
      const answer = slave(word);
      const replies = probe?.requests.map(({ pdu }) => answer(pdu)) ?? [];
      expect(probe?.judge(replies).fit).not.toBe("certain");
    }
  });

  it("an IAI controller is certain: ready, with the reserved bits of its status at 0", () => {
    const probe = probeOf("iai/robo-cylinder");
    const answer = slave(0, { 36869: 0x3018 });
    const replies = probe?.requests.map(({ pdu }) => answer(pdu)) ?? [];
    expect(probe?.judge(replies)).toMatchObject({ fit: "certain" });
  });
});
