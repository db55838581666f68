/** Mounts of bpffs: what is busy, what dies with a mount, binds, read-only mounts. On both kernels where both have it. */
import { describe, expect, it } from "vitest";
import type { BpfEvent } from "../../../src/kernel/bpf.ts";
import { OpenPath } from "../../../src/kernel/bpffs/open_path.ts";
import { DELEGATE_ANY, parseOptions } from "../../../src/kernel/bpffs/options.ts";
import { UserNs } from "../../../src/kernel/userns.ts";
import { NO_CAPS } from "../../../src/verifier/platform.ts";
import { bpffsTests, outcome, type PinScene } from "../../support/bpffs.ts";
import { withKernel } from "../../support/kernel.ts";

/** Whether a map with this id lives. */
const lives = (s: PinScene, id: number) => outcome(() => s.bpf.close(s.bpf.mapGetFdById(id))) === undefined;

/** Pins a map and closes it. @returns its id */
function pinned(s: PinScene, rel: string): number {
  const fd = s.map();
  const { id } = s.bpf.mapInfo(fd);
  s.bpf.objPin(fd, s.at(rel));
  s.bpf.close(fd);
  return id;
}

bpffsTests("umount", [
  ["nothing there", "EINVAL", (s) => s.fs.umount(s.newDir())],
  ["no such path", "ENOENT", (s) => s.fs.umount(s.at("no"))],
  [
    "a directory in it",
    "EINVAL",
    (s) => {
      s.fs.mkdir(s.at("d"));
      s.fs.umount(s.at("d"));
    },
  ],
  ["an open directory", "EBUSY", (s) => busyWith(s, s.fs.open(s.dir))],
  ["an open path", "EBUSY", (s) => busyWith(s, s.fs.open(s.at("d"), { path: true }))],
  [
    "an fd of a pinned object is not in the file system",
    "ok",
    (s) => {
      pinned(s, "a");
      const fd = s.bpf.objGet(s.at("a"));
      s.fs.umount(s.dir);
      const { id } = s.bpf.mapInfo(fd);
      return lives(s, id) ? "ok" : "gone";
    },
  ],
  ["the directory below", [], (s) => s.fs.readdir(s.dir)],
  [
    "pins died with the mount",
    [true, false],
    (s) => {
      s.mount(s.dir);
      const id = pinned(s, "a");
      const before = lives(s, id);
      s.fs.umount(s.dir);
      return [before, lives(s, id)];
    },
  ],
  [
    "with MNT_DETACH they live while a path is open",
    [true, "ok", false],
    (s) => {
      s.mount(s.dir);
      const id = pinned(s, "a");
      const dirfd = s.fs.open(s.dir);
      s.fs.umount(s.dir, { detach: true });
      const still = lives(s, id);
      const get = outcome(() => s.bpf.close(s.bpf.objGet({ dirfd, path: "a" })) ?? "ok");
      s.bpf.close(dirfd);
      return [still, get, lives(s, id)];
    },
  ],
]);

function busyWith(s: PinScene, fd: Parameters<PinScene["bpf"]["close"]>[0]): void {
  try {
    s.fs.umount(s.dir);
  } finally {
    s.bpf.close(fd);
  }
}

bpffsTests("mounts on mounts", [
  ["mount on no directory", "ENOENT", (s) => s.mount(s.at("no"))],
  [
    "mount on a pin",
    "ENOTDIR",
    (s) => {
      s.pin("p");
      s.mount(s.at("p"));
    },
  ],
  [
    "mount in it",
    undefined,
    (s) => {
      s.fs.mkdir(s.at("k"));
      s.pin("below");
      s.mount(s.at("k"));
      s.pin("k/i");
    },
  ],
  [
    "the mount point is busy",
    ["EBUSY", "EBUSY", "EBUSY"],
    (s) => [
      outcome(() => s.fs.rmdir(s.at("k"))),
      outcome(() => s.fs.rename(s.at("k"), s.at("l"))),
      outcome(() => s.fs.umount(s.dir)),
    ],
  ],
  ["rename across", "EXDEV", (s) => s.fs.rename(s.at("k/i"), s.at("i"))],
  ["link across", "EXDEV", (s) => s.fs.link(s.at("k/i"), s.at("i"))],
  ["dot-dot leads out", "ok", (s) => s.get("k/../below")],
  ["umount", undefined, (s) => s.fs.umount(s.at("k"))],
  ["empty again", [], (s) => s.ls("k")],
  [
    "a second mount hides the first",
    [[], ["below", "k", "p"]],
    (s) => {
      s.mount(s.dir);
      const top = s.ls();
      s.fs.umount(s.dir);
      return [top, s.ls()];
    },
  ],
]);

bpffsTests("bind mounts", [
  [
    "a directory",
    ["x"],
    (s) => {
      s.fs.mkdir(s.at("d"));
      const other = s.newDir();
      s.bind(s.at("d"), other);
      s.bpf.objPin(s.map(), `${other}/x`);
      return s.ls("d");
    },
  ],
  [
    "a pin over a pin",
    ["EBUSY", true],
    (s) => {
      const id = pinned(s, "a");
      pinned(s, "b");
      s.bind(s.at("a"), s.at("b"));
      const busy = outcome(() => s.fs.unlink(s.at("b")));
      const same = s.bpf.mapInfo(s.bpf.objGet(s.at("b"))).id === id;
      s.fs.umount(s.at("b"));
      return [busy, same];
    },
  ],
  ["a directory on a pin", "ENOTDIR", (s) => s.bind(s.at("d"), s.at("a"))],
  [
    "what is bound can be removed; nothing can be made in it then",
    ["ENOENT", [], 0],
    (s) => {
      s.fs.mkdir(s.at("e"));
      const other = s.newDir();
      s.bind(s.at("e"), other);
      s.fs.rmdir(s.at("e"));
      const pin = outcome(() => s.bpf.objPin(s.map(), `${other}/x`));
      return [pin, s.fs.readdir(other), s.fs.stat(other).nlink];
    },
  ],
  [
    "the file system lives by the bind",
    ["ok", true],
    (s) => {
      const dir = s.newDir();
      s.mount(dir);
      const other = s.newDir();
      s.bind(dir, other);
      s.bpf.objPin(s.map(), `${dir}/m`);
      s.fs.umount(dir);
      return ["ok", s.fs.readdir(other).includes("m")];
    },
  ],
  [
    "rename between two mounts of one file system",
    "EXDEV",
    (s) => {
      const other = s.newDir();
      s.bind(s.dir, other);
      s.fs.rename(s.at("a"), `${other}/z`);
    },
  ],
]);

bpffsTests("read-only", [
  ["a pin", undefined, (s) => s.pin("a")],
  ["the file system", undefined, (s) => s.fs.remount(s.dir, { readonly: true })],
  [
    "changes",
    ["EROFS", "EROFS", "EROFS", "EROFS", "EEXIST"],
    (s) =>
      [
        () => s.pin("b"),
        () => s.fs.mkdir(s.at("d")),
        () => s.fs.unlink(s.at("a")),
        () => s.fs.chmod(s.at("a"), 0),
        () => s.pin("a"),
      ].map(outcome),
  ],
  ["get asks for write access", ["EROFS", "ok"], (s) => [s.get("a"), s.get("a", 8)]],
  ["writable again", undefined, (s) => s.fs.remount(s.dir, { readonly: false })],
  [
    "a read-only bind",
    ["EROFS", "EROFS", true],
    (s) => {
      const other = s.newDir();
      s.bind(s.dir, other);
      s.fs.remount(other, { readonly: true, bind: true });
      const results = [() => s.bpf.objPin(s.map(), `${other}/z`), () => s.fs.unlink(`${other}/a`)].map(outcome);
      return [...results, s.bpf.objGet(`${other}/a`) > 0];
    },
  ],
  ["the other way in is writable", undefined, (s) => s.pin("z")],
]);

describe("mount options", () => {
  it("as text", () => {
    expect(parseOptions("uid=5,gid=6,mode=0750,foo=1")).toEqual({ uid: 5, gid: 6, mode: 0o750 });
    expect(parseOptions("delegate_cmds=prog_load:map_create,delegate_maps=any")).toEqual({
      delegateCmds: (1n << 5n) | 1n,
      delegateMaps: DELEGATE_ANY,
    });
    expect(parseOptions("delegate_progs=xdp:0x2,delegate_attachs=xdp:cgroup_inet_ingress")).toEqual({
      delegateProgs: (1n << 6n) | 2n,
      delegateAttachs: (1n << 37n) | 1n,
    });
    for (const bad of ["mode=9", "uid=-1", "delegate_cmds=zz", "delegate_maps="]) {
      expect(() => parseOptions(bad), bad).toThrow("EINVAL");
    }
  });

  it("are read by who makes a token, from an fd on the mount's root", () =>
    withKernel((_kernel, proc) => {
      proc.fs.mount("/mnt", { delegateCmds: 3n });
      const dir = proc.fdTable.object(proc.fs.open("/mnt"), "path");
      if (!(dir instanceof OpenPath)) throw new Error("no open path");
      expect([dir.isMountRoot, dir.path.mount.fs.options.delegateCmds]).toEqual([true, 3n]);
      proc.fs.mkdir("/mnt/d");
      const below = proc.fdTable.object(proc.fs.open("/mnt/d"), "path");
      expect(below instanceof OpenPath && below.isMountRoot).toBe(false);
    }));

  it("preload: files that list maps and programs", () =>
    withKernel((_kernel, proc) => {
      proc.fs.mount("/mnt", { preload: true });
      proc.mapCreate({ mapType: 1, keySize: 4, valueSize: 4, maxEntries: 9, name: "nine" });
      const text = new TextDecoder().decode(proc.fs.read(proc.fs.open("/mnt/maps.debug")));
      expect(text).toBe(`  id name             max_entries  cur_entries
   1 nine                       9            0
`);
      expect(() => proc.objGet("/mnt/maps.debug")).toThrow("ENOENT");
    }));
});

describe("mount namespaces", () => {
  it("each has its mounts; a file system lives while one of them mounts it", () =>
    withKernel((kernel, proc) => {
      const other = kernel.spawn({ mountns: proc.mountns.clone() });
      proc.fs.mount("/mnt");
      expect(() => other.fs.umount("/mnt")).toThrow("EINVAL");
      // Both share the bpffs that was mounted before the copy.
      const m = proc.mapCreate({ mapType: 2, keySize: 4, valueSize: 4, maxEntries: 1 });
      proc.objPin(m, "/sys/fs/bpf/m");
      proc.close(m);
      proc.fs.umount("/sys/fs/bpf");
      expect(() => proc.objGet("/sys/fs/bpf/m")).toThrow("ENOENT");
      other.close(other.objGet("/sys/fs/bpf/m"));
      expect(kernel.maps.size).toBe(1);
      other.exit();
      expect(kernel.maps.size).toBe(0);
    }));

  it("removing a directory unmounts what another namespace mounted on it", () =>
    withKernel((kernel, proc) => {
      proc.fs.mkdir("/sys/fs/bpf/d");
      const other = kernel.spawn({ mountns: proc.mountns.clone() });
      other.fs.mount("/sys/fs/bpf/d");
      expect(() => other.fs.rmdir("/sys/fs/bpf/d")).toThrow("EBUSY");
      proc.fs.rmdir("/sys/fs/bpf/d");
      expect(other.mountns.mounts.map((m) => m.at)).toEqual(["/", "/sys/fs/bpf"]);
    }));

  it("of another user namespace: inherited mounts are locked, a bpffs comes from outside", () =>
    withKernel((kernel, proc) => {
      const userns = new UserNs(kernel.initUserns, 1000);
      const user = kernel.spawn({ uid: 1000, gid: 1000, userns, mountns: proc.mountns.clone(userns) });
      expect(() => user.fs.umount("/sys/fs/bpf")).toThrow("EINVAL");
      expect(() => user.fs.mount("/mnt")).toThrow("EPERM");
      expect(() => user.fs.mountFor(proc, "/mnt")).toThrow("EPERM");
      proc.fs.mountFor(user, "/mnt", { delegateCmds: DELEGATE_ANY });
      const { fs } = user.mountns.mounts.at(-1)!;
      expect([fs.userns === userns, fs.options.delegateCmds]).toEqual([true, DELEGATE_ANY]);
      expect(() => proc.fs.umount("/mnt")).toThrow("EINVAL");
      // Capabilities count over inodes whose owner the namespace maps.
      user.fs.mkdir("/mnt/d", 0);
      user.objPin(user.mapCreate({ mapType: 2, keySize: 4, valueSize: 4, maxEntries: 1 }), "/mnt/d/m");
      expect(() => user.fs.unlink("/sys/fs/bpf/x")).toThrow("ENOENT");
      user.fs.umount("/mnt");
    }));

  it("mounting needs CAP_SYS_ADMIN", () =>
    withKernel((kernel) => {
      const user = kernel.spawn({ uid: 1000, gid: 1000, caps: NO_CAPS });
      expect(() => user.fs.mount("/mnt")).toThrow("EPERM");
      expect(() => user.fs.umount("/sys/fs/bpf")).toThrow("EPERM");
      expect(() => user.fs.bind("/sys/fs/bpf", "/mnt")).toThrow("EPERM");
    }));

  it("recursive binds show what is mounted below", () =>
    withKernel((_kernel, proc) => {
      proc.fs.mkdir("/sys/fs/bpf/d");
      proc.fs.mount("/sys/fs/bpf/d");
      proc.fs.mkdir("/sys/fs/bpf/d/e");
      proc.fs.bind("/sys/fs/bpf", "/mnt");
      expect(proc.fs.readdir("/mnt/d")).toEqual([]);
      proc.fs.bind("/sys/fs/bpf", "/run", { recursive: true });
      expect(proc.fs.readdir("/run/d")).toEqual(["e"]);
      proc.fs.umount("/run", { detach: true });
      proc.fs.umount("/mnt");
      proc.fs.umount("/sys/fs/bpf/d");
    }));
});

it("a pin that dies with its mount is told", () =>
  withKernel((kernel, proc) => {
    const told: string[] = [];
    kernel.events.on((e: BpfEvent) => told.push(`${e.what} ${e.oldPath ? `${e.oldPath} ` : ""}${e.path ?? ""}`.trim()));
    proc.fs.mount("/mnt");
    const m = proc.mapCreate({ mapType: 2, keySize: 4, valueSize: 4, maxEntries: 1 });
    proc.objPin(m, "/mnt/a");
    proc.fs.mkdir("/mnt/d");
    proc.fs.link("/mnt/a", "/mnt/d/b");
    proc.fs.rename("/mnt/d", "/mnt/e");
    proc.close(m);
    proc.fs.umount("/mnt");
    expect(told).toEqual([
      "mount /mnt",
      "map_create",
      "pin /mnt/a",
      "pin /mnt/d/b",
      "rename /mnt/d /mnt/e",
      "umount /mnt",
      "unpin /mnt/e/b",
      "unpin /mnt/a",
      "map_free",
    ]);
  }));
