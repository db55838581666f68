/** Object names, as bpf_obj_name_cpy() checks them. */
import { BpfError, EINVAL } from "../abi/errno.ts";

/** BPF_OBJ_NAME_LEN, with the NUL. */
const NAME_BYTES = 16;

/** @throws EINVAL over 15 bytes, or anything but letters (of Latin-1, as isalnum() has it), digits, '_' and '.' */
export function checkObjName(name: string, what: string): string {
  if (name.length >= NAME_BYTES) {
    throw new BpfError(EINVAL, `${what} name '${name}' has ${name.length} bytes; wanted at most ${NAME_BYTES - 1}`, {
      name,
    });
  }
  const bad = /[^A-Za-z0-9_.\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u00ff]/.exec(name);
  if (bad)
    throw new BpfError(EINVAL, `${what} name '${name}' has '${bad[0]}'; wanted letters, digits, '_' and '.'`, { name });
  return name;
}
