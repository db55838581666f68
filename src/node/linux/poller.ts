/**
 * Waits for fds without blocking the event loop: one epoll instance, waited for on a thread of its own.
 *
 * While somebody listens the process stays alive. A wait lasts at most WAIT_MS, because an exiting process waits for it.
 */
import type { Sys } from "./sys.ts";

const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLLIN = 1;
const EPOLL_CLOEXEC = 0o2000000;
const WAIT_MS = 100;
/** struct epoll_event is packed on x86 only. */
const EVENT = process.arch === "x64" ? { size: 12, data: 4 } : { size: 16, data: 8 };
const MAX_EVENTS = 64;

export class Poller {
  readonly #sys: Sys;
  #epoll = -1;
  readonly #listeners = new Map<number, () => void>();
  readonly #events = new Uint8Array(EVENT.size * MAX_EVENTS);
  #waiting = false;

  constructor(sys: Sys) {
    this.#sys = sys;
  }

  /** Level-triggered: calls back again and again as long as there is something to read. */
  watch(fd: number, listener: () => void): void {
    if (this.#epoll < 0) this.#epoll = this.#sys.must("epoll", "epoll_create1", EPOLL_CLOEXEC);
    if (!this.#listeners.has(fd)) this.#control(EPOLL_CTL_ADD, fd);
    this.#listeners.set(fd, listener);
    void this.#wait();
  }

  unwatch(fd: number): void {
    if (this.#listeners.delete(fd)) this.#control(EPOLL_CTL_DEL, fd);
  }

  close(): void {
    this.#listeners.clear();
    if (this.#waiting || this.#epoll < 0) return;
    this.#sys.call("close", this.#epoll);
    this.#epoll = -1;
  }

  #control(op: number, fd: number): void {
    const event = new Uint8Array(EVENT.size);
    const view = new DataView(event.buffer);
    view.setUint32(0, EPOLLIN, true);
    view.setInt32(EVENT.data, fd, true);
    this.#sys.keep = [event];
    this.#sys.must(`fd ${fd}`, "epoll_ctl", this.#epoll, op, fd, this.#sys.addressOf(event));
  }

  async #wait(): Promise<void> {
    if (this.#waiting) return;
    this.#waiting = true;
    const at = this.#sys.addressOf(this.#events);
    while (this.#listeners.size > 0) {
      const n = await this.#sys.callAsync("epoll_pwait", this.#epoll, at, MAX_EVENTS, WAIT_MS, 0, 8);
      const view = new DataView(this.#events.buffer);
      for (let i = 0; i < n; i++) this.#listeners.get(view.getInt32(i * EVENT.size + EVENT.data, true))?.();
    }
    this.#waiting = false;
    if (this.#epoll >= 0) this.#sys.call("close", this.#epoll);
    this.#epoll = -1;
  }
}
