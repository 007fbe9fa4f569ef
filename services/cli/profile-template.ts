/**
 * The beginning of a profile: complete, right for the lint, and wrong for every real device.
 *
 * The idea: whoever writes a profile edits one that loads, key by key; what is still invented
 * says REPLACE and is marked as from memory, so the lint warns of it. It refuses motion verbs:
 * those come when the manual has been read.
 */

/** The text of a new profile. */
export function profileTemplate(id: string): string {
  const [maker = "", model = ""] = id.split("/");
  return `# yaml-language-server: $schema=../../docs/schemas/profile.schema.json
# Begun with \`servocell profile new\`. Every REPLACE is invented: replace it by the manual's facts.
servocellProfile: 1
id: ${id}
title: ${maker} ${model} (REPLACE)
kind: servo
identity:
  vendor: ${maker}
  models: [${JSON.stringify(model)}]
  variants: []
  # A register that only this device has; without one, say why: probe: { none: … }
  probe: { none: "REPLACE: no register that tells this device is known yet" }
evidence:
  documents:
    manual: { title: "REPLACE: the manual", where: "REPLACE: file or address", revision: "REPLACE" }
  goldenFrames: []
  testedOn: []
transport:
  addressRule: "REPLACE: how the manual's number becomes the address on the wire"
  functionCodes: [3, 6, 16]
  broadcast: false
  order: { default: ABCD, evidence: { confidence: M, note: REPLACE } }
  limits:
    { readRegisters: 2, writeRegisters: 2, hole: 0, evidence: { confidence: M, note: REPLACE } }
  timing: {}
  exceptions: { meanings: {}, signs: [], functionBytes: [] }
axes: 1
commissioning: { parameters: [] }
constants: {}
points:
  enableWord:
    text: Enable
    read: { fc: 3, address: 0x0000 }
    write: { fc: 6, address: 0x0000 }
    type: u16
    quantity: none
    poll: full
    evidence: { confidence: M, note: REPLACE }
  status:
    text: Status word
    read: { fc: 3, address: 0x0010 }
    type: u16
    quantity: none
    poll: fast
    evidence: { confidence: M, note: REPLACE }
  position:
    text: Actual position
    read: { fc: 3, address: 0x0011 }
    type: i32
    quantity: position
    scale: revsPerUnit * countsPerRev
    poll: fast
    evidence: { confidence: M, note: REPLACE }
  stop:
    text: Stop
    write: { fc: 6, address: 0x0020 }
    type: u16
    quantity: none
    poll: never
    evidence: { confidence: M, note: REPLACE }
status:
  state:
    point: status
    pairs:
      - { state: fault, mask: 0x08, value: 0x08 }
      - { state: enabled, mask: 0x01, value: 0x01 }
      - { state: off, mask: 0x01, value: 0x00 }
    evidence: { confidence: M, note: REPLACE }
  flags:
    enabled: { when: { state: [enabled] }, evidence: { confidence: M, note: REPLACE } }
    fault: { when: { state: [fault] }, evidence: { confidence: M, note: REPLACE } }
    moving:
      {
        when: { point: status, mask: 0x02, equals: [0x02] },
        evidence: { confidence: M, note: REPLACE },
      }
  still:
    {
      when: { point: status, mask: 0x02, equals: [0x00] },
      evidence: { confidence: M, note: REPLACE },
    }
  position: position
  rebootEvidence: { none: "REPLACE: nothing that gives a reboot away is known yet" }
blocks: {}
gather: []
operations:
  enable:
    text: Power on, with nothing left to run
    args: {}
    requires: []
    repeat: always
    sideEffects: []
    timeoutMs: 5000
    result: [position]
    steps:
      - write: { enableWord: 1 }
      - wait: { until: { flag: enabled }, timeoutMs: 2000, otherwise: NOT_ACCEPTED }
    evidence: { confidence: M, note: REPLACE }
  disable:
    text: Power off
    args: {}
    requires: []
    repeat: always
    sideEffects: []
    timeoutMs: 5000
    toleratesFault: true
    result: [position]
    steps:
      - write: { enableWord: 0 }
      - wait: { until: { flag: enabled, is: false }, timeoutMs: 2000, otherwise: NOT_ACCEPTED }
    evidence: { confidence: M, note: REPLACE }
stops:
  controlled:
    text: "REPLACE: ramp; is the rest of the move gone or kept?"
    keepsTorque: true
    remainder: gone
    resumable: false
    blind: [{ write: { stop: 1 } }]
    timeoutMs: 10000
    steps:
      - wait:
          {
            until: { flag: moving, is: false },
            times: 2,
            timeoutMs: 8000,
            otherwise: NOT_DONE_IN_TIME,
          }
    evidence: { confidence: M, note: REPLACE }
refresh: []
watchdog:
  kind: unknown
  note: "REPLACE: does the drive stop when the master is silent?"
  fedBy: unknown
  evidence: { confidence: M, note: REPLACE }
authority: "REPLACE: how the drive says who has control"
alarms: {}
simulation:
  behaviour: axis
  enable: { point: enableWord, equals: [1] }
  stop: { point: stop, equals: [1] }
missing:
  moveTo: REPLACE
  home: REPLACE
quirks: []
`;
}
