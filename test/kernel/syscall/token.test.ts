/** BPF tokens: what a bpffs delegates to the processes of its user namespace. Linux's rules for the first one stand in raw_links.test.ts. */
import { describe, expect, it } from "vitest";
import * as abi from "../../../src/abi/bpf.ts";
import { BpfError, errnoName } from "../../../src/abi/errno.ts";
import type { Fd } from "../../../src/kernel/bpf.ts";
import { parseOptions } from "../../../src/kernel/bpffs/options.ts";
import type { Process } from "../../../src/kernel/process.ts";
import { UserNs } from "../../../src/kernel/userns.ts";
import type { NetKernel } from "../../../src/net/create.ts";
import { ALL_CAPS, type Caps, NO_CAPS } from "../../../src/verifier/platform.ts";
import { load, withKernel } from "../../support/kernel.ts";

function errnoOf(body: () => unknown): string {
  try {
    body();
    return "";
  } catch (e) {
    if (e instanceof BpfError) return errnoName(e.errno);
    throw e;
  }
}

interface Container {
  readonly kernel: NetKernel;
  /** Has every capability in the user namespace of the container, and none in the first. */
  readonly user: Process;
  readonly token: (path?: string) => Fd;
}

/** A container with a bpffs that root mounted into it. */
function container(delegate: string, body: (c: Container) => void, disabled: 0 | 1 | 2 = 2): void {
  withKernel(
    (kernel, root) => {
      const userns = new UserNs(kernel.initUserns, 1000);
      const mountns = kernel.newMountns(undefined, userns);
      const user = kernel.spawn({ caps: ALL_CAPS, uid: 1000, gid: 1000, userns, mountns });
      const setup = kernel.spawn({ mountns });
      setup.fs.mkdir("/bpf");
      setup.exit();
      root.fs.mountFor(user, "/bpf", parseOptions(delegate));
      body({ kernel, user, token: (path = "/bpf") => user.tokenCreate(user.fs.open(path)) });
    },
    { unprivilegedBpfDisabled: disabled },
  );
}

const ALL = "delegate_cmds=any,delegate_maps=any,delegate_progs=any,delegate_attachs=any";
const HASH = { mapType: abi.BPF_MAP_TYPE_HASH, keySize: 4, valueSize: 4, maxEntries: 4 };
const PASS = "r0 = 2\nexit";
type Act = (user: Process, tokenFd?: Fd) => unknown;
const withToken = (tokenFd: Fd | undefined) => (tokenFd === undefined ? {} : { tokenFd });
const map: Act = (user, t) => user.mapCreate({ ...HASH, ...withToken(t) });
const xdp: Act = (user, t) => load(user, PASS, withToken(t));
const kprobe: Act = (user, t) => load(user, PASS, { progType: abi.BPF_PROG_TYPE_KPROBE, ...withToken(t) });

function inDirectory({ user, token }: Container): Fd {
  user.fs.mkdir("/bpf/d");
  return token("/bpf/d");
}

function tokenWith({ user, token }: Container, caps: Caps): Fd {
  user.setCred({ caps });
  return token();
}

describe("BPF_TOKEN_CREATE", () => {
  const rows: readonly [name: string, errno: string, make: (c: Container) => unknown, options?: string][] = [
    ["on the root of the bpffs", "", (c) => c.token()],
    ["on a directory in it", "EINVAL", inDirectory],
    ["on another file system", "EINVAL", (c) => c.token("/")],
    ["on an O_PATH fd", "EBADF", (c) => c.user.tokenCreate(c.user.fs.open("/bpf", { path: true }))],
    ["on no fd", "EBADF", (c) => c.user.tokenCreate(99 as Fd)],
    ["with flags", "EINVAL", (c) => c.user.tokenCreate(c.user.fs.open("/bpf"), 1)],
    ["where nothing is delegated", "ENOENT", (c) => c.token(), ""],
    ["without CAP_BPF", "EPERM", (c) => tokenWith(c, NO_CAPS)],
    ["with CAP_SYS_ADMIN alone", "", (c) => tokenWith(c, { ...NO_CAPS, sysAdmin: true })],
    [
      "by root, who is in another user namespace",
      "EPERM",
      ({ kernel, user }) => {
        const root = kernel.spawn({ mountns: user.mountns });
        return root.tokenCreate(root.fs.open("/bpf"));
      },
    ],
    [
      "in a user namespace below",
      "EPERM",
      ({ kernel, user }) => {
        const userns = new UserNs(user.cred.userns, 1000);
        const child = kernel.spawn({ uid: 1000, gid: 1000, userns, mountns: user.mountns });
        return child.tokenCreate(child.fs.open("/bpf"));
      },
    ],
  ];
  for (const [name, errno, make, options = ALL] of rows) {
    it(`${name}: ${errno || "a token"}`, () => container(options, (c) => expect(errnoOf(() => make(c))).toBe(errno)));
  }
});

describe("a token", () => {
  it("counts capabilities in its user namespace: what is dropped there is not had through it", () =>
    container(ALL, ({ user, token }) => {
      const fd = token();
      user.setCred({ caps: { ...NO_CAPS, bpf: true } });
      expect(errnoOf(() => map(user, fd))).toBe("");
      expect(errnoOf(() => xdp(user, fd))).toBe("EPERM");
      user.setCred({ caps: { ...NO_CAPS, bpf: true, netAdmin: true } });
      expect(errnoOf(() => xdp(user, fd))).toBe("");
      expect(errnoOf(() => kprobe(user, fd))).toBe("EPERM");
    }));

  it("gives the verifier the capabilities, too", () =>
    container(ALL, ({ user, token }) => {
      // A pointer may be returned with CAP_PERFMON alone.
      const leak = (t: Fd) =>
        load(user, "r0 = r10\nexit", { progType: abi.BPF_PROG_TYPE_SOCKET_FILTER, tokenFd: t, logLevel: 1 });
      const fd = token();
      expect(errnoOf(() => leak(fd))).toBe("");
      user.setCred({ caps: { ...NO_CAPS, bpf: true } });
      expect(errnoOf(() => leak(fd))).toBe("EACCES");
    }));

  it("says in fdinfo what it allows", () =>
    container("delegate_cmds=map_create:prog_load,delegate_maps=any,delegate_progs=xdp", ({ user, token }) => {
      expect(user.fdInfo(token())).toEqual({
        allowed_cmds: "0x21",
        allowed_maps: "any",
        allowed_progs: "0x40",
        allowed_attachs: "0x0",
      });
    }));

  it("may be given to another process, whose capabilities count then", () =>
    container(ALL, ({ kernel, user, token }) => {
      const other = kernel.spawn({ caps: NO_CAPS, uid: 2000, gid: 2000 });
      const fd = user.sendFd(token(), other);
      expect(errnoOf(() => map(other, fd))).toBe("EPERM");
      const twin = kernel.spawn({ caps: ALL_CAPS, uid: 1000, gid: 1000, userns: user.cred.userns });
      expect(errnoOf(() => map(twin, user.sendFd(token(), twin)))).toBe("");
    }));

  it("keeps the bpffs, and a program keeps the token", () =>
    container(ALL, ({ user, token }) => {
      const fd = token();
      const prog = xdp(user, fd) as Fd;
      const held = user.progAt(prog).facts.token!;
      for (const open of user.fds) if (open !== fd && open !== prog) user.close(open);
      expect(held.refs).toBe(2);
      user.close(fd);
      expect(held.refs).toBe(1);
    }));
});

describe("kernel.unprivileged_bpf_disabled", () => {
  const rows: readonly [disabled: 0 | 1 | 2, errno: string][] = [
    [0, ""],
    [1, "EPERM"],
    [2, "EPERM"],
  ];
  const filter: Act = (user) => load(user, PASS, { progType: abi.BPF_PROG_TYPE_SOCKET_FILTER });
  for (const [disabled, errno] of rows) {
    it(`${disabled}: ${errno || "allowed"}; not for CAP_BPF`, () =>
      container(
        ALL,
        ({ kernel }) => {
          const nobody = kernel.spawn({ caps: NO_CAPS, uid: 1000, gid: 1000 });
          for (const act of [map, filter]) expect(errnoOf(() => act(nobody))).toBe(errno);
          const bpf = kernel.spawn({ caps: { ...NO_CAPS, bpf: true } });
          for (const act of [map, filter]) expect(errnoOf(() => act(bpf))).toBe("");
        },
        disabled,
      ));
  }

  it("0 and 2 may be changed, 1 is for good", () =>
    withKernel((kernel) => {
      kernel.unprivilegedBpfDisabled = 2;
      kernel.unprivilegedBpfDisabled = 0;
      kernel.unprivilegedBpfDisabled = 1;
      expect(errnoOf(() => (kernel.unprivilegedBpfDisabled = 0))).toBe("EPERM");
      expect(errnoOf(() => (kernel.unprivilegedBpfDisabled = 1))).toBe("");
    }));
});
