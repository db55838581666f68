/** Names in bpffs: the same calls on the in-process kernel and on Linux, with the same errnos. */
import * as abi from "../../../src/abi/bpf.ts";
import { bpffsTests, outcome, type PinScene } from "../../support/bpffs.ts";

const mode = (s: PinScene, rel: string) => (s.fs.lstat(s.at(rel)).mode & 0o177777).toString(8);
const each = (names: readonly string[], body: (name: string) => void) => {
  for (const name of names) body(name);
};
const nlink = (s: PinScene, rel: string) => s.fs.lstat(s.at(rel)).nlink;

bpffsTests("pin and get", [
  ["the root", "41777", (s) => mode(s, "")],
  ["pin", undefined, (s) => s.pin("a")],
  ["its mode", "100600", (s) => mode(s, "a")],
  ["a taken name", "EEXIST", (s) => s.pin("a")],
  ["no directory", "ENOENT", (s) => s.pin("no/a")],
  ["below a pin", "ENOTDIR", (s) => s.pin("a/b")],
  ["a name with a dot", "EPERM", (s) => s.pin("a.b")],
  ["get of a name with a dot", "EPERM", (s) => s.get("a.b")],
  ["on a directory", "EEXIST", (s) => s.bpf.objPin(s.map(), s.dir)],
  ["outside of bpffs", "EPERM", (s) => s.bpf.objPin(s.map(), `/tmp/${Math.random()}`)],
  ["an empty path", "ENOENT", (s) => s.bpf.objPin(s.map(), "")],
  ["a closed fd", "EINVAL", (s) => s.bpf.objPin(999 as never, s.at("x"))],
  ["a directory's fd", "EINVAL", (s) => s.bpf.objPin(s.fs.open(s.dir, { path: true }), s.at("x"))],
  ["get of nothing", "ENOENT", (s) => s.get("no")],
  ["get of a directory", "EACCES", (s) => s.get("")],
  ["a slash at the end", "ENOTDIR", (s) => s.get("a/")],
  ["below a pin", "ENOTDIR", (s) => s.get("a/x")],
  ["double slashes, dots and dot-dots on the way", "ok", (s) => s.get(`.//../${s.dir.slice("/tmp/".length)}/a`)],
  ["a name of 255 bytes", undefined, (s) => s.pin("x".repeat(255))],
  ["of 256", "ENAMETOOLONG", (s) => s.pin("x".repeat(256))],
  ["both flags", "EINVAL", (s) => s.get("a", abi.BPF_F_RDONLY | abi.BPF_F_WRONLY)],
  ["read-only", "ok", (s) => s.get("a", abi.BPF_F_RDONLY)],
  ["write-only", "ok", (s) => s.get("a", abi.BPF_F_WRONLY)],
  ["a program", undefined, (s) => s.bpf.objPin(s.prog(), s.at("p"))],
  ["a program, read-only", "ok", (s) => s.get("p", abi.BPF_F_RDONLY)],
  ["plain files", "EACCES", (s) => s.fs.open(s.at("f"), { access: "w", create: true })],
  ["plain files with a dot", "EPERM", (s) => s.fs.open(s.at("f.x"), { access: "w", create: true })],
  ["open of a pin", "EIO", (s) => s.fs.open(s.at("a"))],
  ["create over a pin", "EIO", (s) => s.fs.open(s.at("a"), { create: true })],
  ["unpin", undefined, (s) => s.bpf.objUnpin(s.at("a"))],
  ["twice", "ENOENT", (s) => s.bpf.objUnpin(s.at("a"))],
  ["what is left", ["p", "x".repeat(255)], (s) => s.ls()],
]);

bpffsTests("links are pinned like programs, but opened without access flags", [
  ["a raw tracepoint", undefined, (s) => s.bpf.objPin(s.rawTracepoint(), s.at("l"))],
  ["get", "ok", (s) => s.get("l")],
  ["read-only", "EINVAL", (s) => s.get("l", abi.BPF_F_RDONLY)],
  ["write-only", "EINVAL", (s) => s.get("l", abi.BPF_F_WRONLY)],
  ["open", "EIO", (s) => s.fs.open(s.at("l"))],
]);

bpffsTests("directories", [
  ["mkdir", undefined, (s) => s.fs.mkdir(s.at("d"))],
  ["mode, less the umask", "40755", (s) => mode(s, "d")],
  ["links of the parent", 3, (s) => nlink(s, "")],
  ["taken", "EEXIST", (s) => s.fs.mkdir(s.at("d"))],
  ["dot", "EEXIST", (s) => s.fs.mkdir(s.at("."))],
  ["a name with a dot", "EPERM", (s) => s.fs.mkdir(s.at("d.x"))],
  ["no parent", "ENOENT", (s) => s.fs.mkdir(s.at("x/y"))],
  ["a slash at the end", undefined, (s) => s.fs.mkdir(s.at("e/"))],
  ["sticky", undefined, (s) => s.fs.mkdir(s.at("t"), 0o1777)],
  ["sticky stays", "41755", (s) => mode(s, "t")],
  ["pin in it", undefined, (s) => s.pin("d/a")],
  ["readdir", ["a"], (s) => s.ls("d")],
  ["readdir of a pin", "ENOTDIR", (s) => s.fs.readdir(s.at("d/a"))],
  ["rmdir of a full one", "ENOTEMPTY", (s) => s.fs.rmdir(s.at("d"))],
  ["rmdir of a pin", "ENOTDIR", (s) => s.fs.rmdir(s.at("d/a"))],
  ["unlink of a directory", "EISDIR", (s) => s.fs.unlink(s.at("d"))],
  ["rmdir of dot", "EINVAL", (s) => s.fs.rmdir(s.at("d/."))],
  ["rmdir of dot-dot", "ENOTEMPTY", (s) => s.fs.rmdir(s.at("d/.."))],
  ["unlink of dot", "EISDIR", (s) => s.fs.unlink(s.at("d/."))],
  ["unlink with a slash", "ENOTDIR", (s) => s.fs.unlink(s.at("d/a/"))],
  ["rmdir", undefined, (s) => s.fs.rmdir(s.at("e"))],
  ["a directory of mode 0 takes dots", undefined, (s) => s.fs.mkdir(s.at("z"), 0)],
  ["as Linux's populate step needs it", undefined, (s) => s.fs.mkdir(s.at("z/a.b"))],
  ["until it has a mode", undefined, (s) => s.fs.chmod(s.at("z"), 0o700)],
  ["others no more", "EPERM", (s) => s.fs.mkdir(s.at("z/a.c"))],
]);

bpffsTests("hard links and symlinks", [
  ["a pin", undefined, (s) => s.pin("a")],
  ["mkdir", undefined, (s) => s.fs.mkdir(s.at("d"))],
  ["link", undefined, (s) => s.fs.link(s.at("a"), s.at("d/b"))],
  ["two names", 2, (s) => nlink(s, "a")],
  ["one inode", true, (s) => s.fs.stat(s.at("a")).ino === s.fs.stat(s.at("d/b")).ino],
  ["a taken name", "EEXIST", (s) => s.fs.link(s.at("a"), s.at("d/b"))],
  ["of a directory", "EPERM", (s) => s.fs.link(s.at("d"), s.at("e"))],
  ["to a name with a dot", "EPERM", (s) => s.fs.link(s.at("a"), s.at("a.b"))],
  ["of nothing", "ENOENT", (s) => s.fs.link(s.at("no"), s.at("e"))],
  ["unlink one name", undefined, (s) => s.fs.unlink(s.at("a"))],
  ["the object lives by the other", "ok", (s) => s.get("d/b")],
  ["symlink", undefined, (s) => s.fs.symlink("b", s.at("d/s"))],
  ["its mode", "120777", (s) => mode(s, "d/s")],
  ["readlink", "b", (s) => s.fs.readlink(s.at("d/s"))],
  ["readlink of a pin", "EINVAL", (s) => s.fs.readlink(s.at("d/b"))],
  ["get follows it", "ok", (s) => s.get("d/s")],
  ["pin does not", "EEXIST", (s) => s.pin("d/s")],
  ["dangling", undefined, (s) => s.fs.symlink("../no", s.at("d/n"))],
  ["get", "ENOENT", (s) => s.get("d/n")],
  ["pin", "EEXIST", (s) => s.pin("d/n")],
  ["in the middle of a path", undefined, (s) => s.fs.symlink(`${s.dir}/d`, s.at("to"))],
  ["get", "ok", (s) => s.get("to/s")],
  ["a loop", undefined, (s) => s.fs.symlink("loop", s.at("loop"))],
  ["get", "ELOOP", (s) => s.get("loop")],
  ["an empty target", "ENOENT", (s) => s.fs.symlink("", s.at("q"))],
  ["a name with a dot", "EPERM", (s) => s.fs.symlink("b", s.at("q.x"))],
  ["link of a symlink", undefined, (s) => s.fs.link(s.at("d/s"), s.at("d/s2"))],
  ["is a symlink", "b", (s) => s.fs.readlink(s.at("d/s2"))],
  ["unlink of a symlink", undefined, (s) => s.fs.unlink(s.at("d/s"))],
  ["leaves its target", ["b", "n", "s2"], (s) => s.ls("d")],
]);

bpffsTests("rename", [
  ["two pins", undefined, (s) => each(["a", "b"], (name) => s.pin(name))],
  ["directories", undefined, (s) => each(["d", "d/e", "f"], (name) => s.fs.mkdir(s.at(name)))],
  ["over another pin", undefined, (s) => s.fs.rename(s.at("a"), s.at("b"))],
  ["into a directory", undefined, (s) => s.fs.rename(s.at("b"), s.at("d/e/c"))],
  ["a directory", undefined, (s) => s.fs.rename(s.at("d"), s.at("g"))],
  ["what is in it is found", "ok", (s) => s.get("g/e/c")],
  ["links of the root", 4, (s) => nlink(s, "")],
  ["nothing", "ENOENT", (s) => s.fs.rename(s.at("no"), s.at("x"))],
  ["to a name with a dot", "EPERM", (s) => s.fs.rename(s.at("f"), s.at("f.x"))],
  ["a pin over a directory", "EISDIR", (s) => s.fs.rename(s.at("g/e/c"), s.at("f"))],
  ["a directory over a pin", "ENOTDIR", (s) => s.fs.rename(s.at("f"), s.at("g/e/c"))],
  ["over a full directory", "ENOTEMPTY", (s) => s.fs.rename(s.at("f"), s.at("g"))],
  ["over an empty one", undefined, (s) => s.fs.rename(s.at("g"), s.at("f"))],
  ["into itself", "EINVAL", (s) => s.fs.rename(s.at("f"), s.at("f/e/x"))],
  ["onto what it lies in", "ENOTEMPTY", (s) => s.fs.rename(s.at("f/e"), s.at("f"))],
  ["dot", "EBUSY", (s) => s.fs.rename(s.at("f/."), s.at("x"))],
  ["a pin with a slash", "ENOTDIR", (s) => s.fs.rename(s.at("f/e/c/"), s.at("x"))],
  ["to a name with a slash", "ENOTDIR", (s) => s.fs.rename(s.at("f/e/c"), s.at("x/"))],
  [
    "onto a hard link of itself: nothing happens",
    ["c", "h"],
    (s) => {
      s.fs.link(s.at("f/e/c"), s.at("f/e/h"));
      s.fs.rename(s.at("f/e/c"), s.at("f/e/h"));
      return s.ls("f/e");
    },
  ],
  ["out of bpffs", "EXDEV", (s) => s.fs.rename(s.at("f"), `${s.newDir()}/x`)],
  ["without replacing", "EEXIST", (s) => s.fs.rename(s.at("f/e/c"), s.at("f/e"), { noreplace: true })],
  ["to a free name", undefined, (s) => s.fs.rename(s.at("f/e/c"), s.at("c"), { noreplace: true })],
  ["exchange with nothing", "ENOENT", (s) => s.fs.rename(s.at("c"), s.at("no"), { exchange: true })],
  ["both flags", "EINVAL", (s) => s.fs.rename(s.at("c"), s.at("f"), { exchange: true, noreplace: true })],
  ["exchange a pin and a directory", undefined, (s) => s.fs.rename(s.at("c"), s.at("f/e"), { exchange: true })],
  ["both changed places", ["c", "f", ["e"], ["h"]], (s) => [...s.ls(), s.ls("f"), s.ls("c")]],
  ["links of both parents", [4, 2], (s) => [nlink(s, ""), nlink(s, "f")]],
  ["exchange with what lies in it", "EINVAL", (s) => s.fs.rename(s.at("c"), s.at("c/h"), { exchange: true })],
]);

bpffsTests("paths relative to a directory's fd", [
  ["mkdir", undefined, (s) => s.fs.mkdir(s.at("d"))],
  ["pin", undefined, (s) => s.bpf.objPin(s.map(), { dirfd: s.fs.open(s.at("d"), { path: true }), path: "a" })],
  ["by the path", "ok", (s) => s.get("d/a")],
  ["get", true, (s) => s.bpf.objGet({ dirfd: s.fs.open(s.at("d")), path: "a" }) > 0],
  ["an absolute path", true, (s) => s.bpf.objGet({ dirfd: s.fs.open(s.dir), path: s.at("d/a") }) > 0],
  ["with an fd of a pin", "ENOTDIR", (s) => s.bpf.objGet({ dirfd: s.fs.open(s.at("d/a"), { path: true }), path: "a" })],
  ["of a map", "ENOTDIR", (s) => s.bpf.objGet({ dirfd: s.map(), path: "a" })],
  ["a closed one", "EBADF", (s) => s.bpf.objGet({ dirfd: 999 as never, path: "a" })],
  [
    "rename",
    undefined,
    (s) => {
      const dirfd = s.fs.open(s.at("d"), { directory: true });
      s.fs.rename({ dirfd, path: "a" }, { dirfd, path: "b" });
    },
  ],
  [
    "unlink in a removed directory",
    "ENOENT",
    (s) => {
      const dirfd = s.fs.open(s.at("d"), { path: true });
      s.fs.unlink({ dirfd, path: "b" });
      s.fs.rmdir(s.at("d"));
      s.fs.mkdir({ dirfd, path: "x" });
    },
  ],
  [
    "an fd of a pin, O_DIRECTORY",
    "ENOTDIR",
    (s) => {
      s.pin("p");
      s.fs.open(s.at("p"), { directory: true, path: true });
    },
  ],
  [
    "an open path keeps the object",
    true,
    (s) => {
      const fd = s.bpf.objGet(s.at("p"));
      const { id } = s.bpf.mapInfo(fd);
      const path = s.fs.open(s.at("p"), { path: true });
      s.bpf.close(fd);
      s.fs.unlink(s.at("p"));
      const lives = outcome(() => s.bpf.close(s.bpf.mapGetFdById(id))) === undefined;
      s.bpf.close(path);
      return lives;
    },
  ],
  ["flock", undefined, (s) => s.fs.flock(s.fs.open(s.dir), "exclusive")],
  ["flock by another open", "EAGAIN", (s) => s.fs.flock(s.fs.open(s.dir), "shared")],
  ["flock of an O_PATH fd", "EBADF", (s) => s.fs.flock(s.fs.open(s.dir, { path: true }), "shared")],
]);
