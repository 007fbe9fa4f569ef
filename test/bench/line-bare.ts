/**
 * The same polling with bare modbus-serial in a loop: a process for the line benchmark.
 *
 * The idea: what a person writes first: one client, one loop over the units, the library's own
 * RTU port and nothing around it. It refuses to be clever.
 *
 * Arguments: path, baud, timeout in ms, units.
 */
import modbusSerial from "modbus-serial";

const [path = "", baud = "", timeout = "", units = ""] = process.argv.slice(2);
const client = new modbusSerial.default();
await client.connectRTUBuffered(path, { baudRate: Number(baud), parity: "even" });
client.setTimeout(Number(timeout));
process.stdout.write("ready\n");
for (;;) {
  for (const unit of units.split(",").map(Number)) {
    client.setID(unit);
    try {
      await client.readHoldingRegisters(0, 2);
    } catch {
      // The next unit.
    }
  }
}
