/** Modes and owners in bpffs: the same calls on the in-process kernel and on Linux, by a user without CAP_DAC_OVERRIDE. */
import * as abi from "../../../src/abi/bpf.ts";
import { type BpffsStep, bpffsTests, type PinScene } from "../../support/bpffs.ts";

const RO = abi.BPF_F_RDONLY;
const WO = abi.BPF_F_WRONLY;

/** By user 1000. */
function user(what: string, wanted: unknown, call: (s: PinScene) => unknown): BpffsStep {
  return [`user: ${what}`, wanted, (s) => s.asUser(1000, 1000, () => call(s))];
}

/** By root. */
function root(what: string, call: (s: PinScene) => void): BpffsStep {
  return [`root: ${what}`, undefined, call];
}

function pinWith(rel: string, mode: number, uid = 0, gid = 0): BpffsStep {
  return root(`pin ${rel} with mode ${mode.toString(8)}`, (s) => {
    s.pin(rel);
    s.fs.chown(s.at(rel), uid, gid);
    s.fs.chmod(s.at(rel), mode);
  });
}

const owner = (s: PinScene, rel: string) => {
  const { uid, gid } = s.fs.lstat(s.at(rel));
  return [uid, gid];
};
const mode = (s: PinScene, rel: string) => (s.fs.lstat(s.at(rel)).mode & 0o7777).toString(8);

bpffsTests("opening a pin asks for read and write, or for what the flags say", [
  pinWith("none", 0o600),
  pinWith("r", 0o604),
  pinWith("w", 0o602),
  pinWith("rw", 0o606),
  pinWith("group", 0o660, 0, 1000),
  pinWith("mine", 0o400, 1000),
  user("none", ["EACCES", "EACCES", "EACCES"], (s) => [0, RO, WO].map((f) => s.get("none", f))),
  user("r", ["EACCES", "ok", "EACCES"], (s) => [0, RO, WO].map((f) => s.get("r", f))),
  user("w", ["EACCES", "EACCES", "ok"], (s) => [0, RO, WO].map((f) => s.get("w", f))),
  user("rw", ["ok", "ok", "ok"], (s) => [0, RO, WO].map((f) => s.get("rw", f))),
  user("group", ["ok", "ok", "ok"], (s) => [0, RO, WO].map((f) => s.get("group", f))),
  user("mine", ["EACCES", "ok", "EACCES"], (s) => [0, RO, WO].map((f) => s.get("mine", f))),
  root("all of them", (s) => {
    for (const rel of ["none", "r", "w", "rw"]) s.get(rel);
  }),
  user("open asks for the mode before it says EIO", "EACCES", (s) => s.fs.open(s.at("none"))),
  user("O_PATH asks for nothing", true, (s) => s.fs.open(s.at("none"), { path: true }) > 0),
  user("an fd with read access alone", "EPERM", (s) => {
    s.bpf.mapUpdateElem(s.bpf.objGet(s.at("r"), RO), new Uint8Array(4), new Uint8Array(4));
  }),
]);

bpffsTests("directories: searching, listing, changing", [
  root("directories", (s) => {
    const modes = { open: 0o777, ro: 0o755, noexec: 0o766, hidden: 0o733, closed: 0o700 };
    for (const [name, bits] of Object.entries(modes)) {
      s.fs.mkdir(s.at(name));
      s.fs.chmod(s.at(name), bits);
      s.pin(`${name}/a`);
      s.fs.chmod(s.at(`${name}/a`), 0o666);
    }
  }),
  user("get", { open: "ok", ro: "ok", noexec: "EACCES", hidden: "ok", closed: "EACCES" }, (s) =>
    Object.fromEntries(["open", "ro", "noexec", "hidden", "closed"].map((d) => [d, s.get(`${d}/a`)])),
  ),
  user("readdir of one that may not be searched", ["a"], (s) => s.ls("noexec")),
  user("readdir of one that may not be read", "EACCES", (s) => s.ls("hidden")),
  user("pin", undefined, (s) => s.pin("open/u")),
  user("its owner", [1000, 1000], (s) => owner(s, "open/u")),
  user("pin in a read-only directory", "EACCES", (s) => s.pin("ro/u")),
  user("a taken name is seen first", "EEXIST", (s) => s.pin("ro/a")),
  user("mkdir", "EACCES", (s) => s.fs.mkdir(s.at("ro/d"))),
  user("symlink", "EACCES", (s) => s.fs.symlink("a", s.at("ro/s"))),
  user("unlink", "EACCES", (s) => s.fs.unlink(s.at("ro/a"))),
  user("unlink of what is not there", "ENOENT", (s) => s.fs.unlink(s.at("ro/b"))),
  user("rename out", "EACCES", (s) => s.fs.rename(s.at("ro/a"), s.at("open/b"))),
  user("rename in", "EACCES", (s) => s.fs.rename(s.at("open/a"), s.at("ro/b"))),
  user("unlink of somebody else's pin in an open directory", undefined, (s) => s.fs.unlink(s.at("open/a"))),
  user("create a plain file", "EACCES", (s) => s.fs.open(s.at("open/f"), { access: "w", create: true })),
  user("moving a directory changes its dot-dot", "EACCES", (s) => {
    s.fs.mkdir(s.at("open/d"));
    s.fs.chmod(s.at("open/d"), 0o555);
    s.fs.rename(s.at("open/d"), s.at("hidden/d"));
  }),
  user("renaming it in place does not", undefined, (s) => s.fs.rename(s.at("open/d"), s.at("open/e"))),
]);

bpffsTests("the sticky root: names are their owners'", [
  pinWith("root", 0o666),
  pinWith("none", 0o600),
  user("unlink", "EPERM", (s) => s.fs.unlink(s.at("root"))),
  user("rename", "EPERM", (s) => s.fs.rename(s.at("root"), s.at("x"))),
  user("pin", undefined, (s) => s.pin("mine")),
  user("rename over root's", "EPERM", (s) => s.fs.rename(s.at("mine"), s.at("root"))),
  user("rename of one's own", undefined, (s) => s.fs.rename(s.at("mine"), s.at("mine2"))),
  user("link of what one may read and write", undefined, (s) => s.fs.link(s.at("root"), s.at("l"))),
  user("the link is root's", "EPERM", (s) => s.fs.unlink(s.at("l"))),
  user("link of what one may not (protected_hardlinks)", "EPERM", (s) => s.fs.link(s.at("none"), s.at("l2"))),
  root("a directory", (s) => s.fs.mkdir(s.at("d"))),
  user("rmdir of root's directory", "EPERM", (s) => s.fs.rmdir(s.at("d"))),
]);

bpffsTests("chmod and chown", [
  pinWith("root", 0o600),
  pinWith("mine", 0o600, 1000, 1000),
  user("chmod of root's", "EPERM", (s) => s.fs.chmod(s.at("root"), 0o666)),
  user("chmod of one's own", undefined, (s) => s.fs.chmod(s.at("mine"), 0o640)),
  user("mode", "640", (s) => mode(s, "mine")),
  user("set-gid of a group one is in", undefined, (s) => s.fs.chmod(s.at("mine"), 0o2640)),
  user("stays", "2640", (s) => mode(s, "mine")),
  user("chown of one's own to another", "EPERM", (s) => s.fs.chown(s.at("mine"), 0, -1)),
  user("to oneself", undefined, (s) => s.fs.chown(s.at("mine"), 1000, 1000)),
  user("to a group one is not in", "EPERM", (s) => s.fs.chown(s.at("mine"), -1, 5)),
  root("to that group", (s) => s.fs.chown(s.at("mine"), -1, 5)),
  user("owner", [1000, 5], (s) => owner(s, "mine")),
  user("set-gid of a group one is not in", undefined, (s) => s.fs.chmod(s.at("mine"), 0o2640)),
  user("is dropped", "640", (s) => mode(s, "mine")),
  root("a set-gid directory", (s) => {
    s.fs.mkdir(s.at("d"));
    s.fs.chown(s.at("d"), 1000, 77);
    s.fs.chmod(s.at("d"), 0o2777);
  }),
  user("passes its group on", [[1000, 77], [1000, 77], "2755"], (s) => {
    s.fs.mkdir(s.at("d/e"));
    s.pin("d/p");
    return [owner(s, "d/e"), owner(s, "d/p"), mode(s, "d/e")];
  }),
]);

bpffsTests(
  "a mount's root: uid, gid and mode",
  [
    ["owner", [1000, 1001], (s) => owner(s, "")],
    ["mode and the sticky bit", "1750", (s) => mode(s, "")],
    [
      "root makes root's",
      [0, 0],
      (s) => {
        s.fs.mkdir(s.at("d"));
        return owner(s, "d");
      },
    ],
    user("the owner", undefined, (s) => s.pin("mine")),
    user("of a sticky directory removes what is not his", undefined, (s) => s.fs.rmdir(s.at("d"))),
    ["another user", "EACCES", (s) => s.asUser(1002, 1002, () => s.get("mine"))],
  ],
  { uid: 1000, gid: 1001, mode: 0o750 },
);
