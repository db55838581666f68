/** Layout of an LPM trie's nodes; see lpm_trie.ts. Offsets in bytes. */

/** Child 0 is at 0. */
export const LPM_SLOT: u32 = 8;
export const LPM_PREFIX: usize = 16;
export const LPM_BRANCH: usize = 20;
export const LPM_DATA: u32 = 24;
