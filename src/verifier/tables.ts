/** Tables of a kernel profile that the call and access checks read: program types, helpers, kfuncs, map types. */

// biome-ignore lint/suspicious/noEmptyInterface: the families add their tables
export interface PlatformTables {}
