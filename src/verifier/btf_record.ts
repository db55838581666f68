/** Special fields of a map value or of an allocated object (struct btf_record). */
export interface BtfRecord {
  readonly fields: readonly BtfField[];
}

export interface BtfField {
  /** Bytes. */
  readonly offset: number;
  readonly size: number;
  readonly kind: string;
}
