/** What a dispatcher needs of a machine: bpf(2), its devices, and where pins are. The same on every kernel. */
import { BpfError, EAGAIN, EEXIST, EINVAL, ENOENT } from "../../abi/errno.ts";
import type { Bpf, Fd } from "../../kernel/bpf.ts";

export type XdpMode = "driver" | "generic" | "offload";

export interface XdpDevices {
  list(): readonly {
    readonly ifindex: number;
    readonly name: string;
    readonly xdp: readonly { readonly mode: XdpMode; readonly progId: number }[];
  }[];
  /** As netlink sets it: flags are XDP_FLAGS_*, progFd -1 takes the program off. */
  setXdp(ifindex: number, progFd: number, flags?: number, expectedFd?: number): void;
}

export interface XdpHost {
  readonly bpf: Bpf;
  readonly devices: XdpDevices;
  /** A mounted bpffs (LIBXDP_BPFFS); default /sys/fs/bpf. */
  readonly bpffs?: string;
  /** LIBXDP_SKIP_DISPATCHER: programs are attached alone. */
  readonly skipDispatcher?: boolean;
  /** The dispatcher's object (libxdp's xdp-dispatcher.o out of LIBXDP_OBJECT_PATH); default one of our own. */
  readonly dispatcher?: Uint8Array;
}

/** Of the variables that libxdp reads; `read` finds xdp-dispatcher.o in LIBXDP_OBJECT_PATH. */
export function hostOptions(
  env: Readonly<Record<string, string | undefined>>,
  read: (path: string) => Uint8Array | undefined,
): Pick<XdpHost, "bpffs" | "skipDispatcher" | "dispatcher"> {
  const skip = env["LIBXDP_SKIP_DISPATCHER"];
  const dir = env["LIBXDP_OBJECT_PATH"];
  const dispatcher = dir === undefined ? undefined : read(`${dir}/xdp-dispatcher.o`);
  if (dir !== undefined && !dispatcher) {
    throw new BpfError(ENOENT, `LIBXDP_OBJECT_PATH: there is no ${dir}/xdp-dispatcher.o`, { dir });
  }
  return {
    ...(env["LIBXDP_BPFFS"] === undefined ? {} : { bpffs: env["LIBXDP_BPFFS"] }),
    ...(skip === undefined ? {} : { skipDispatcher: /^[1yY]/.test(skip) }),
    ...(dispatcher === undefined ? {} : { dispatcher }),
  };
}

export function modeAt(host: XdpHost, ifindex: number): { mode: XdpMode; progId: number } | undefined {
  const device = host.devices.list().find((d) => d.ifindex === ifindex);
  if (!device) throw new BpfError(EINVAL, `no device has ifindex ${ifindex}`, { ifindex });
  return device.xdp[0];
}

/** Directory of all dispatchers' pins. */
export const pinRoot = (host: XdpHost): string => `${host.bpffs ?? "/sys/fs/bpf"}/xdp`;

/** `dispatch-IFINDEX-ID`, ID being the dispatcher's program id. */
export const pinDir = (host: XdpHost, ifindex: number, dispatcherId: number): string =>
  `${pinRoot(host)}/dispatch-${ifindex}-${dispatcherId}`;

/**
 * Runs the body while nobody else changes dispatchers: flock of the directory, as libxdp locks it. Does not wait.
 * @throws EAGAIN somebody else is at it
 */
export function locked<T>(host: XdpHost, body: () => T): T {
  const { fs } = host.bpf;
  const dir = pinRoot(host);
  try {
    fs.mkdir(dir, 0o700);
  } catch (e) {
    if (!(e instanceof BpfError) || e.errno !== EEXIST) throw e;
  }
  const fd = fs.open(dir, { directory: true });
  try {
    lock(host, fd, dir);
    return body();
  } finally {
    host.bpf.close(fd);
  }
}

function lock({ bpf }: XdpHost, fd: Fd, dir: string): void {
  try {
    bpf.fs.flock(fd, "exclusive");
  } catch (e) {
    if (!(e instanceof BpfError) || e.errno !== EAGAIN) throw e;
    throw new BpfError(EAGAIN, `${dir} is locked: somebody else changes a dispatcher`, { dir }, e);
  }
}
