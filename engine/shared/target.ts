/** What a shard can dial or listen on: an endpoint after main has resolved names and checked paths. */
export type TransportTarget =
  | { readonly kind: 'unix'; readonly path: string }
  /** A listening socket that main holds bound: the shard listens on a descriptor of its own. */
  | { readonly kind: 'unix'; readonly path: string; readonly fd: number }
  /** A Windows named pipe; the access options count when listening. */
  | {
      readonly kind: 'pipe'
      readonly path: string
      readonly readableAll: boolean
      readonly writableAll: boolean
    }
  | { readonly kind: 'memory'; readonly name: string }
  /** Where main meets the shard with the two ends that become a child's stdin and stdout. */
  | { readonly kind: 'stdio'; readonly stdin: string; readonly stdout: string }
  /** The process's own stdin and stdout. */
  | { readonly kind: 'own-stdio' }

export type TransportKind = TransportTarget['kind']
