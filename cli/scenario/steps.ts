/** The verbs of scenario files: one entry each. What is optional ends in "?". */
import * as abi from "../../src/abi/bpf.ts";
import { BpfError, EOPNOTSUPP } from "../../src/abi/errno.ts";
import { fromHex } from "../../src/bytes/hex.ts";
import { assemble } from "../../src/isa/assemble.ts";
import { encode } from "../../src/isa/codec.ts";
import type { Bpf, Fd } from "../../src/kernel/bpf.ts";
import { parseOptions } from "../../src/kernel/bpffs/options.ts";
import type { Process } from "../../src/kernel/process.ts";
import { attachXdp } from "../../src/loader/dispatcher/dispatcher.ts";
import { actionMask } from "../../src/loader/dispatcher/run_config.ts";
import { openObject } from "../../src/loader/object.ts";
import { mapTypeByName } from "../../src/maps/table.ts";
import { XdpDeviceView } from "../../src/net/xdp_set.ts";
import { readFile } from "../../src/node/files.ts";
import { findSecDef } from "../../src/progs/sec.ts";
import { ALL_CAPS, type Caps, NO_CAPS } from "../../src/verifier/platform.ts";
import { UsageError } from "../output.ts";
import { cgroupPath, type Scene } from "./scene.ts";

export type Field = "text" | "text?" | "number?" | "list?" | "flag?";

/** Members of one step, checked against the verb's fields. */
export interface StepArgs {
  /** The value of the verb itself. */
  readonly what: string;
  readonly by?: string;
  readonly [name: string]: unknown;
}

export interface ScenarioVerb {
  /** For people: what the verb's own value is. */
  readonly what: Field;
  readonly fields: Readonly<Record<string, Field>>;
  run(scene: Scene, args: StepArgs): void;
}

function verb<F extends Readonly<Record<string, Field>>>(
  fields: F,
  run: (scene: Scene, args: StepArgs & { readonly [K in keyof F]: Value<F[K]> }) => void,
): ScenarioVerb {
  return { what: "text", fields, run: run as ScenarioVerb["run"] };
}

type Value<F> = F extends "text"
  ? string
  : F extends "text?"
    ? string | undefined
    : F extends "number?"
      ? number | undefined
      : F extends "list?"
        ? readonly string[] | undefined
        : boolean | undefined;

const PIN_ROOT = "/sys/fs/bpf";
const FRAME_BYTES = 64;

export const VERBS: Readonly<Record<string, ScenarioVerb>> = {
  // --- places
  device: verb({ ifindex: "number?", peer: "text?", netns: "text?" }, (scene, { what, ifindex, peer, netns }) => {
    const net = scene.kernel.netOf(scene.netns(netns));
    const options = { name: what, ...(ifindex === undefined ? {} : { ifindex }) };
    if (peer === undefined) net.addDevice(options);
    else net.addVethPair(options, { name: peer });
  }),
  moveDevice: verb({ netns: "text?" }, (scene, { what, netns }) =>
    scene.kernel.moveDevice(scene.device(what), scene.netns(netns)),
  ),
  setDevice: verb({ up: "flag?" }, (scene, { what, up = true }) => {
    scene.device(what).up = up;
  }),
  removeDevice: verb({}, (scene, { what }) => {
    const device = scene.device(what);
    device.net.removeDevice(device);
  }),
  cgroup: verb({}, ({ kernel }, { what }) => {
    let at = kernel.cgroups.root;
    for (const name of cgroupPath(what).split("/").filter(Boolean)) {
      at = at.children.get(name) ?? kernel.cgroups.create(at, name);
    }
  }),
  removeCgroup: verb({}, (scene, { what }) => scene.kernel.cgroups.remove(scene.cgroup(what))),
  netns: verb({}, (scene, { what }) => scene.addNetns(what, scene.kernel.newNetns())),

  // --- processes
  process: verb(
    { uid: "number?", gid: "number?", caps: "list?", cgroup: "text?", netns: "text?", ownMounts: "flag?" },
    (scene, { what, by, uid = 0, gid = uid, caps, cgroup, netns, ownMounts }) => {
      const parent = scene.process(by);
      const proc = scene.kernel.spawn({
        comm: what,
        uid,
        gid,
        caps: capsOf(caps, uid),
        netns: scene.netns(netns),
        cgroup: cgroup === undefined ? parent.cgroup : scene.cgroup(cgroup),
        mountns: ownMounts ? parent.mountns.clone() : parent.mountns,
      });
      scene.addProcess(what, proc);
    },
  ),
  exit: verb({}, (scene, { what }) => scene.process(what).exit()),

  // --- objects
  load: verb({ as: "text?" }, (scene, { what, by, as = stem(what) }) => {
    const proc = scene.process(by);
    const object = openObject(readFile(scene.file(what)), { name: what, pinRoot: PIN_ROOT });
    object.load(proc);
    for (const prog of Object.values(object.progs)) {
      if (!prog.isLoaded) continue;
      scene.hold(`${as}/${prog.name}`, { proc, fd: prog.fd, attachType: prog.expectedAttachType, prog });
    }
    for (const map of Object.values(object.maps))
      if (map.isLoaded) scene.hold(`${as}/${map.name}`, { proc, fd: map.fd });
  }),
  prog: verb({ section: "text", asm: "text?" }, (scene, { what, by, section, asm = "r0 = 0\nexit" }) => {
    const proc = scene.process(by);
    const sec = findSecDef(section);
    if (!sec) throw new UsageError(`section '${section}' seen, one of libbpf's section names wanted`);
    const { insns } = assemble(asm, {
      symbol: (name, kind) => ({
        src: kind === "map_value" ? abi.BPF_PSEUDO_MAP_VALUE : abi.BPF_PSEUDO_MAP_FD,
        imm: scene.fdIn(proc, name),
      }),
    });
    const attr = { progType: sec.type, expectedAttachType: sec.attachType, insns: encode(insns), license: "GPL" };
    scene.hold(what, { proc, fd: proc.progLoad({ ...attr, name: what }).fd, attachType: sec.attachType });
  }),
  map: verb(
    { type: "text", key: "number?", value: "number?", entries: "number?" },
    (scene, { what, by, type, key = 4, value = 4, entries = 1 }) => {
      const proc = scene.process(by);
      const mapType = mapTypeByName(type);
      if (mapType === undefined) throw new UsageError(`'${type}' seen, a map type wanted`);
      const attr = { mapType, keySize: key, valueSize: value, maxEntries: entries, name: what };
      scene.hold(what, { proc, fd: proc.mapCreate(attr) });
    },
  ),
  close: verb({}, (scene, { what }) => {
    const { proc, fd } = scene.held(what);
    proc.close(fd);
  }),
  send: verb({ to: "text" }, (scene, { what, to }) => {
    const { proc, fd } = scene.held(what);
    proc.sendFd(fd, scene.process(to));
  }),

  // --- attachments
  attach: verb(
    { as: "text?", device: "text?", cgroup: "text?", netns: "text?", hook: "text?", hold: "flag?", mode: "text?" },
    (scene, args) => attach(scene, args),
  ),
  xdp: verb(
    { device: "text", prog: "text", priority: "number?", proceedOn: "list?" },
    (scene, { what, by, device, prog, priority, proceedOn }) => {
      const proc = scene.process(by);
      const host = { bpf: proc, devices: new XdpDeviceView(scene.kernel.netOf(proc.netns), proc) };
      const obj = openObject(readFile(scene.file(what)), { name: what, pinRoot: PIN_ROOT });
      const runConfig = {
        ...(priority === undefined ? {} : { priority }),
        ...(proceedOn ? { chainCallActions: actionMask(proceedOn) } : {}),
      };
      try {
        attachXdp(host, scene.device(device).ifindex, [{ obj, name: prog, runConfig }]);
      } finally {
        obj.close();
      }
    },
  ),
  update: verb({ prog: "text" }, (scene, { what, by, prog }) => {
    const proc = actor(scene, by, what);
    proc.linkUpdate(scene.fdIn(proc, what), scene.fdIn(proc, prog));
  }),
  detach: verb({}, (scene, { what, by }) => {
    const proc = actor(scene, by, what);
    proc.linkDetach(scene.fdIn(proc, what));
  }),

  // --- bpffs
  pin: verb({ at: "text" }, (scene, { what, by, at }) => {
    const proc = actor(scene, by, what);
    proc.objPin(scene.fdIn(proc, what), at);
  }),
  get: verb({ as: "text" }, (scene, { what, by, as }) => {
    const proc = scene.process(by);
    scene.hold(as, { proc, fd: proc.objGet(what) });
  }),
  unpin: verb({}, (scene, { what, by }) => scene.process(by).objUnpin(what)),
  rename: verb({ to: "text" }, (scene, { what, by, to }) => scene.process(by).fs.rename(what, to)),
  mkdir: verb({}, (scene, { what, by }) => scene.process(by).fs.mkdir(what)),
  rmdir: verb({}, (scene, { what, by }) => scene.process(by).fs.rmdir(what)),
  mount: verb({ options: "text?" }, (scene, { what, by, options }) =>
    scene.process(by).fs.mount(what, parseOptions(options ?? "")),
  ),
  umount: verb({}, (scene, { what, by }) => scene.process(by).fs.umount(what)),

  // --- what goes on
  packet: verb({ hex: "text?", count: "number?" }, (scene, { what, hex, count = 1 }) => {
    const bytes = hex === undefined ? testFrame() : fromHex(hex);
    if (!bytes) throw new UsageError(`'${hex}' is no hexadecimal text`);
    const device = scene.device(what);
    for (let i = 0; i < count; i++) device.receive(bytes.slice());
  }),
};

function stem(file: string): string {
  return file.replace(/^.*\//, "").replace(/\.o$/, "");
}

/** The named process, or the one that made the object. */
function actor(scene: Scene, by: string | undefined, object: string): Process {
  return by === undefined ? scene.held(object).proc : scene.process(by);
}

/** Root has all unless the file says otherwise. */
function capsOf(names: readonly string[] | undefined, uid: number): Caps {
  if (names === undefined) return uid === 0 ? ALL_CAPS : NO_CAPS;
  const unknown = names.find((name) => !(name in ALL_CAPS));
  if (unknown) throw new UsageError(`capability '${unknown}' seen, one of ${Object.keys(ALL_CAPS).join(", ")} wanted`);
  return { ...NO_CAPS, ...Object.fromEntries(names.map((name) => [name, true])) };
}

const HOOKS: Readonly<Record<string, number>> = {
  ingress: abi.BPF_TCX_INGRESS,
  egress: abi.BPF_TCX_EGRESS,
};

/** XDP and tcx on a device, cgroup and network namespace attach types on theirs; tracing where the section says. */
function attach(scene: Scene, args: StepArgs & Readonly<Record<string, unknown>>): void {
  const {
    what,
    by,
    as,
    device,
    cgroup,
    netns,
    hook,
    hold,
    mode = "link",
  } = args as Readonly<Record<string, string>> & {
    hold?: boolean;
  };
  const proc = actor(scene, by, what!);
  const progFd = scene.fdIn(proc, what!);
  const { prog, proc: maker } = scene.held(what!);
  if (
    mode === "link" &&
    prog &&
    maker === proc &&
    [device, cgroup, netns, hook, hold].every((given) => given === undefined)
  ) {
    scene.hold(as ?? `link ${what}`, { proc, fd: prog.attach().fd });
    return;
  }
  const attachType = hook === undefined ? (scene.held(what!).attachType ?? 0) : HOOKS[hook];
  if (attachType === undefined) throw new UsageError(`hook '${hook}' seen, ingress or egress wanted`);
  const targetFd =
    cgroup !== undefined
      ? proc.openCgroup(scene.cgroup(cgroup))
      : netns !== undefined
        ? proc.openNetns(scene.netns(netns))
        : undefined;
  const place = {
    ...(device === undefined ? {} : { targetIfindex: scene.device(device).ifindex }),
    ...(targetFd === undefined ? {} : { targetFd }),
  };
  try {
    if (mode === "link") {
      const fd = proc.linkCreate({ progFd, attachType, ...place, ...(hold ? { hold } : {}) });
      scene.hold(as ?? `link ${what}`, { proc, fd });
    } else attachWithoutLink(proc, progFd, attachType, place, mode);
  } finally {
    if (targetFd !== undefined) proc.close(targetFd);
  }
}

const MODES: Readonly<Record<string, number>> = {
  none: 0,
  override: abi.BPF_F_ALLOW_OVERRIDE,
  multi: abi.BPF_F_ALLOW_MULTI,
};

function attachWithoutLink(proc: Process, progFd: Fd, attachType: number, place: object, mode: string): void {
  const flags = MODES[mode];
  if (flags === undefined)
    throw new UsageError(`mode '${mode}' seen, one of link, ${Object.keys(MODES).join(", ")} wanted`);
  const bpf: Bpf = proc;
  if (!bpf.progAttach) throw new BpfError(EOPNOTSUPP, "this kernel attaches by links only");
  bpf.progAttach({ progFd, attachType, ...place, flags });
}

/** An Ethernet frame to the first device, with an IPv4 header's beginning. */
function testFrame(): Uint8Array {
  const frame = new Uint8Array(FRAME_BYTES);
  frame.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45]);
  return frame;
}
