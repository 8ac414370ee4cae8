type Kind = 'connections' | 'duplicates' | 'segments' | 'mappings'

/** Where connections over shared memory are counted, with what they hold. */
export interface SharedLedger {
  open(kind: Kind): void
  release(kind: Kind): void
}
