/**
 * The clock of a kernel that replays a capture: programs see the time at which the packet was captured, so rates and
 * timeouts come out as they were on the wire, however fast the replay runs.
 *
 * Without packets (or for captures without stamps) it is real time. It never runs backwards.
 */
import { type PacketStamp, stampNs } from "../src/net/capture/types.ts";

const NS_PER_MS = 1e6;

export class CaptureClock {
  /** The packet that runs; undefined = none. */
  packet: (() => PacketStamp | undefined) | undefined;
  readonly #started = performance.now();
  #firstNs: bigint | undefined;
  #latestNs = 0n;

  /** Nanoseconds since boot: since the first packet, plus one second, so that nothing happens at 0. */
  now(): bigint {
    const stamp = this.packet?.();
    if (stamp === undefined) {
      const real = BigInt(Math.round((performance.now() - this.#started) * NS_PER_MS));
      return this.#atLeastLatest(this.packet === undefined ? real + 1n : this.#latestNs);
    }
    const ns = stampNs(stamp);
    this.#firstNs ??= ns;
    return this.#atLeastLatest(ns - this.#firstNs + 1_000_000_000n);
  }

  /** Nanoseconds since 1970. */
  real(): bigint {
    const stamp = this.packet?.();
    return stamp === undefined ? BigInt(Date.now()) * 1_000_000n : stampNs(stamp);
  }

  #atLeastLatest(ns: bigint): bigint {
    if (ns > this.#latestNs) this.#latestNs = ns;
    return this.#latestNs;
  }
}
