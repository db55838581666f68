/** User namespaces: whose capabilities count where. A capability counts in its namespace and in those below it. */

/** Ends with the last process in it and the last namespace that it owns. */
export class UserNs {
  readonly parent: UserNs | undefined;
  /** Uid, in the parent, of who made it: has all capabilities in it. */
  readonly ownerUid: number;

  constructor(parent: UserNs | undefined, ownerUid: number) {
    this.parent = parent;
    this.ownerUid = ownerUid;
  }

  get isInit(): boolean {
    return this.parent === undefined;
  }

  /** Whether a uid or gid of the first namespace has a number here: all there, else the owner's alone. */
  mapsId(id: number): boolean {
    return this.isInit || id === this.ownerUid;
  }

  /** Whether this namespace is `other` or above it. */
  covers(other: UserNs): boolean {
    for (let ns: UserNs | undefined = other; ns; ns = ns.parent) if (ns === this) return true;
    return false;
  }
}
