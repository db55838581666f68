/**
 * The socket calls of a process: `new SocketView(kernel, proc)`.
 *
 * What is not there is in UNSUPPORTED, with its errno and reason.
 */
import { BpfError, EAFNOSUPPORT, EPROTONOSUPPORT, type Errno } from "../../abi/errno.ts";
import type { Fd } from "../../kernel/fd.ts";
import type { Process } from "../../kernel/process.ts";
import type { NetKernel } from "../create.ts";
import type { Endpoint } from "./inet.ts";
import { type Datagram, UdpSocket } from "./udp.ts";

/** Kinds of sockets, by what socket(2) calls them. */
export type SocketKind = "udp4" | "udp6" | "tcp4" | "tcp6" | "unix" | "raw";

export const UNSUPPORTED: Readonly<Partial<Record<SocketKind, { readonly errno: Errno; readonly reason: string }>>> = {
  udp6: { errno: EAFNOSUPPORT, reason: "the stack routes IPv4 only" },
  tcp4: { errno: EPROTONOSUPPORT, reason: "the stack has no streams" },
  tcp6: { errno: EPROTONOSUPPORT, reason: "the stack has no streams" },
  unix: { errno: EAFNOSUPPORT, reason: "sockets are those of network devices" },
  raw: { errno: EPROTONOSUPPORT, reason: "devices show raw frames: NetDevice.delivered and send()" },
};

export class SocketView {
  readonly #kernel: NetKernel;
  readonly #proc: Process;

  constructor(kernel: NetKernel, proc: Process) {
    this.#kernel = kernel;
    this.#proc = proc;
  }

  /** @throws the errno of UNSUPPORTED, and what sock_create programs say */
  socket(kind: SocketKind): Fd {
    const missing = UNSUPPORTED[kind];
    if (missing) throw new BpfError(missing.errno, `socket of kind ${kind}: ${missing.reason}`, { kind });
    const proc = this.#proc;
    const make = () => new UdpSocket(this.#kernel.netOf(proc.netns), proc.cgroup);
    return proc.as(() => proc.fdTable.installOwned(make()));
  }

  bind(fd: Fd, end: Endpoint): void {
    this.#proc.as(() => this.#at(fd).bind(end, this.#proc.cred.uid));
  }

  connect(fd: Fd, end: Endpoint): void {
    this.#proc.as(() => this.#at(fd).connect(end));
  }

  /** @param end  default: where the socket is connected to. @returns bytes sent */
  sendto(fd: Fd, data: Uint8Array, end?: Endpoint): number {
    return this.#proc.as(() => this.#at(fd).send(data, end));
  }

  /** The oldest datagram. @throws EAGAIN */
  recvfrom(fd: Fd): Datagram {
    return this.#proc.as(() => this.#at(fd).receive());
  }

  /** @param value of the option, an int for those that the stack has */
  setsockopt(fd: Fd, level: number, optname: number, value: Uint8Array): void {
    const { caps } = this.#proc;
    this.#proc.as(() => this.#at(fd).setsockopt(level, optname, value, caps.netAdmin));
  }

  /** @param optlen bytes that the caller has room for. @returns at most as many */
  getsockopt(fd: Fd, level: number, optname: number, optlen: number): Uint8Array {
    return this.#proc.as(() => this.#at(fd).getsockopt(level, optname, optlen));
  }

  getsockname(fd: Fd): Endpoint {
    return this.#at(fd).local;
  }

  /** Undefined: not connected. */
  getpeername(fd: Fd): Endpoint | undefined {
    return this.#at(fd).remote;
  }

  #at(fd: Fd): UdpSocket {
    return this.#proc.fdTable.object(fd, "socket") as UdpSocket;
  }
}
