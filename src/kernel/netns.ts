/**
 * A network namespace as processes and fds hold it. What is in it (devices, routes, sockets) belongs to net/, which is
 * told by onEnd when the last process and fd are gone.
 */
import { KObject } from "./objects.ts";
import type { UserNs } from "./userns.ts";

export class NetNs extends KObject {
  readonly kind = "netns";
  /** Inode number: what struct bpf_link_info calls netns_ino. */
  readonly ino: number;
  readonly userns: UserNs;
  /** The namespace ends: run once, in order of registration. */
  readonly onEnd: (() => void)[] = [];
  #ended = false;

  /** The new object has one reference, the caller's. */
  constructor(ino: number, userns: UserNs) {
    super();
    this.ino = ino;
    this.userns = userns;
  }

  get ended(): boolean {
    return this.#ended;
  }

  protected override release(): void {
    this.#ended = true;
    for (const end of this.onEnd) end();
  }
}
