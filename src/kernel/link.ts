/**
 * Links: an attachment as an object. The link holds its program; whoever holds the link keeps the attachment.
 *
 * A LinkType says what attaching means for some attach types; subsystems register theirs in Kernel.linkTypes. When the
 * target goes away the link stays, defunct, as in Linux.
 */
import { BpfError, EINVAL, ENOLINK, EOPNOTSUPP, EPERM } from "../abi/errno.ts";
import type { LinkCreateAttr, LinkInfo } from "./bpf.ts";
import type { Kernel } from "./kernel.ts";
import { KObject } from "./objects.ts";
import type { Process } from "./process.ts";
import type { Prog } from "./prog.ts";

/** One attachment, made by a LinkType. */
export interface Attachment {
  /** Puts another program in place; absent: the type cannot. */
  update?(prog: Prog): void;
  /** Ends it; called once, also when the last reference goes. */
  detach(): void;
  /** BPF_LINK_DETACH is allowed. */
  readonly forcedDetach?: boolean;
  /** Members of struct bpf_link_info that belong to the type. */
  info(): Partial<LinkInfo>;
}

export interface LinkType {
  /** BPF_LINK_TYPE_*. */
  readonly type: number;
  /** Checks the program and makes the attachment, which calls link.targetGone() if its target disappears. */
  attach(proc: Process, prog: Prog, attr: LinkCreateAttr, link: Link): Attachment;
}

export class Link extends KObject {
  readonly kind = "link";
  readonly type: LinkType;
  readonly attachType: number;
  #prog: Prog;
  #attachment: Attachment | undefined;
  readonly #kernel: Kernel;

  constructor(proc: Process, type: LinkType, prog: Prog, attr: LinkCreateAttr) {
    super();
    this.#kernel = proc.kernel;
    this.type = type;
    this.attachType = attr.attachType;
    this.#prog = prog;
    this.#attachment = type.attach(proc, prog, attr, this);
    prog.get();
    this.#kernel.links.add(this);
    this.#tell("attach", proc.pid);
  }

  get prog(): Prog {
    return this.#prog;
  }

  /** The target is gone or the link was detached; fds on it stay valid. */
  get defunct(): boolean {
    return this.#attachment === undefined;
  }

  info(): LinkInfo {
    return {
      type: this.type.type,
      id: this.id,
      progId: this.#prog.id,
      attachType: this.attachType,
      ...this.#attachment?.info(),
      ...(this.defunct ? { ifindex: 0 } : {}),
    };
  }

  update(pid: number, prog: Prog, oldProg: Prog | undefined): void {
    const at = this.#attachment;
    if (!at) throw new BpfError(ENOLINK, `link ${this.id}: its target is gone`, { link: this.id });
    if (!at.update)
      throw new BpfError(EINVAL, `link ${this.id}: links of this type cannot be updated`, { link: this.id });
    if (oldProg && oldProg !== this.#prog) {
      throw new BpfError(EPERM, `link ${this.id}: its program is ${this.#prog.id}, not ${oldProg.id}`, {
        link: this.id,
      });
    }
    if (prog === this.#prog) return;
    at.update(prog);
    const old = this.#prog;
    this.#prog = prog.get();
    old.put();
    this.#tell("replace", pid);
  }

  /** BPF_LINK_DETACH. */
  detach(pid: number): void {
    if (!this.#attachment) return;
    if (!this.#attachment.forcedDetach) {
      throw new BpfError(EOPNOTSUPP, `link ${this.id}: links of this type end with their last reference`, {
        link: this.id,
      });
    }
    this.#end("detach", pid);
  }

  /** The device, cgroup or other target disappeared. */
  targetGone(): void {
    if (this.#attachment) this.#end("defunct", 0);
  }

  #end(what: "detach" | "defunct", pid: number): void {
    const at = this.#attachment;
    this.#attachment = undefined;
    at?.detach();
    this.#tell(what, pid);
  }

  #tell(what: "attach" | "detach" | "replace" | "defunct", pid: number): void {
    const { ifindex } = this.info();
    this.#kernel.events.emit({
      what,
      pid,
      linkId: this.id,
      progId: this.#prog.id,
      ...(ifindex === undefined ? {} : { ifindex }),
    });
  }

  protected override release(): void {
    if (this.#attachment) this.#end("detach", 0);
    this.#kernel.links.remove(this);
    this.#prog.put();
  }
}

export function linkCreate(proc: Process, attr: LinkCreateAttr): Link {
  const prog = proc.progAt(attr.progFd);
  const type = proc.kernel.linkTypes.get(attr.attachType);
  if (!type) {
    throw new BpfError(EINVAL, `program '${prog.name}': no links of attach type ${attr.attachType}`, {
      attachType: attr.attachType,
    });
  }
  return new Link(proc, type, prog, attr);
}
