/** UDP sockets of the running Linux with the calls that SocketView has; sockets do not wait. */
import { BpfError, EAFNOSUPPORT, ENOTCONN, type Errno } from "../../src/abi/errno.ts";
import type { Fd } from "../../src/kernel/bpf.ts";
import type { Endpoint } from "../../src/net/socket/inet.ts";
import type { Datagram } from "../../src/net/socket/udp.ts";
import type { SocketKind, SocketView } from "../../src/net/socket/view.ts";
import type { LinuxBpf } from "../../src/node/linux/index.ts";
import type { SyscallName } from "../../src/node/linux/sys.ts";

/** What both kernels have. */
export type SocketCalls = { [K in keyof SocketView]: SocketView[K] };

const AF_INET = 2;
const SOCK_DGRAM = 2 | 0o4000 | 0o2000000;
const SOCKADDR_BYTES = 16;

export class LinuxSockets implements SocketCalls {
  readonly #bpf: LinuxBpf;

  constructor(bpf: LinuxBpf) {
    this.#bpf = bpf;
  }

  socket(kind: SocketKind): Fd {
    if (kind !== "udp4") throw new BpfError(EAFNOSUPPORT, `socket of kind ${kind}: udp4 wanted`);
    return this.#bpf.own(this.#bpf.sys.must("socket", "socket", AF_INET, SOCK_DGRAM, 0));
  }

  bind(fd: Fd, end: Endpoint): void {
    this.#call("bind", "bind", fd, sockaddr(end), SOCKADDR_BYTES);
  }

  connect(fd: Fd, end: Endpoint): void {
    this.#call("connect", "connect", fd, sockaddr(end), SOCKADDR_BYTES);
  }

  sendto(fd: Fd, data: Uint8Array, end?: Endpoint): number {
    const to = end ? [sockaddr(end), SOCKADDR_BYTES] : [0, 0];
    return this.#call("sendto", "sendto", fd, data, data.length, 0, ...to);
  }

  recvfrom(fd: Fd): Datagram {
    const [data, from, length] = [new Uint8Array(65536), new Uint8Array(SOCKADDR_BYTES), sockaddrLength()];
    const n = this.#call("recvfrom", "recvfrom", fd, data, data.length, 0, from, length);
    return { data: data.slice(0, n), from: endpoint(from) };
  }

  setsockopt(fd: Fd, level: number, optname: number, value: Uint8Array): void {
    this.#call("setsockopt", "setsockopt", fd, level, optname, value, value.length);
  }

  getsockopt(fd: Fd, level: number, optname: number, optlen: number): Uint8Array {
    const value = new Uint8Array(optlen);
    const length = new Uint32Array([optlen]);
    this.#call("getsockopt", "getsockopt", fd, level, optname, value, new Uint8Array(length.buffer));
    return value.slice(0, length[0]);
  }

  getsockname(fd: Fd): Endpoint {
    return this.#name("getsockname", fd);
  }

  getpeername(fd: Fd): Endpoint | undefined {
    try {
      return this.#name("getpeername", fd);
    } catch (e) {
      if (e instanceof BpfError && e.errno === ENOTCONN) return undefined;
      throw e;
    }
  }

  #name(call: "getsockname" | "getpeername", fd: Fd): Endpoint {
    const name = new Uint8Array(SOCKADDR_BYTES);
    this.#call(call, call, fd, name, sockaddrLength());
    return endpoint(name);
  }

  #call(what: string, name: SyscallName, ...args: readonly (number | Uint8Array)[]): number {
    const { sys } = this.#bpf;
    sys.keep = [args];
    const ret = sys.call(name, ...(args.map((arg) => (typeof arg === "number" ? arg : sys.addressOf(arg))) as []));
    if (ret < 0) throw new BpfError(-ret as Errno, what);
    return ret;
  }
}

const sockaddrLength = () => new Uint8Array(new Uint32Array([SOCKADDR_BYTES]).buffer);

/** struct sockaddr_in. */
function sockaddr({ addr, port }: Endpoint): Uint8Array {
  const bytes = new Uint8Array(SOCKADDR_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF_INET, true);
  view.setUint16(2, port);
  bytes.set(addr, 4);
  return bytes;
}

function endpoint(bytes: Uint8Array): Endpoint {
  return { addr: bytes.slice(4, 8), port: new DataView(bytes.buffer).getUint16(2) };
}
