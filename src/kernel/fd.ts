declare const tag: unique symbol;

/** A file descriptor of one process. */
export type Fd = number & { readonly [tag]: "fd" };
