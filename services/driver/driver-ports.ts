/**
 * What a driver is built from: its ports to the world and its part of the cell.
 *
 * The idea: one list, so that main and the world hand over the same things. Pure types; it
 * refuses defaults.
 */
import type { CellConfig, DeviceConfig } from "#kernel/config/cell.js";
import type {
  Boot,
  Breaker,
  FieldLink,
  Log,
  MessageLink,
  NewId,
  StopDoor,
  Store,
} from "#kernel/ports.js";

export interface DriverPorts {
  readonly main: MessageLink;
  /** Stop orders, acknowledgements, beats, permits, presence, state/stop: nothing that waits. */
  readonly stop: MessageLink;
  readonly field: FieldLink;
  readonly store: Store;
  readonly breaker: Breaker;
  readonly door: StopDoor;
  readonly log: Log;
  readonly boot: Boot;
  readonly newId: NewId;
}

export interface DriverConfig {
  readonly cell: CellConfig;
  readonly device: DeviceConfig;
}
