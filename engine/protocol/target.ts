import { passesDescriptors } from './runtime.js'

/** What a shard can dial or listen on: an endpoint after main has resolved names and checked paths. */
export type TransportTarget =
  | UnixTarget
  /** A socket that main has bound: the shard listens on a duplicate of it, which comes with this ticket. */
  | (UnixTarget & { readonly ticket: number })
  /** A socket that the shard binds itself: there, and not at `path`, which is the name that it gets. */
  | (UnixTarget & { readonly bindAt: string })
  /** A listening Unix socket that the process was started with, by its number; for a shard as above. */
  | FdTarget
  | (FdTarget & { readonly ticket: number })
  /** A Windows named pipe; the access options count when listening. */
  | {
      readonly kind: 'pipe'
      readonly path: string
      readonly readableAll: boolean
      readonly writableAll: boolean
    }
  | { readonly kind: 'memory'; readonly name: string }
  /** Where main meets the shard with the two ends that become a child's stdin and stdout. */
  | { readonly kind: 'child-stdio'; readonly stdin: string; readonly stdout: string }
  /** The same on Windows: named pipes that the shard listens on. Who connects shows the token before anything else. */
  | {
      readonly kind: 'child-pipes'
      readonly stdin: string
      readonly stdout: string
      readonly token: Uint8Array
    }
  /** The process's own stdin and stdout. */
  | { readonly kind: 'process-stdio' }

/** A path, or an abstract name with a NUL in front. */
export interface UnixTarget {
  readonly kind: 'unix'
  readonly path: string
  /** The folder that it lies in has to be the user's alone, whenever it is used. */
  readonly within?: LocalFolder
}

export interface FdTarget {
  readonly kind: 'fd'
  readonly fd: number
}

/** Length of a token. */
export const TOKEN_BYTES = 16

export type TransportKind = TransportTarget['kind']

/** The target of one kind. */
export type TargetOf<Kind extends TransportKind> = Extract<TransportTarget, { readonly kind: Kind }>

/** In what the kinds of transport differ, apart from how they move bytes. */
export interface TransportTraits {
  /** Whether one direction can end while the other goes on. */
  readonly halfClose: boolean
  /** How many shards can listen on one address. 'one': the others take over when it dies. */
  readonly listeningShards: 'none' | 'one' | 'all'
  /** Whether bytes leave by one Unix socket, whose descriptor can be duplicated. */
  readonly hasDescriptor: boolean
  /**
   * Main holds the socket, with a socket file if it has bound it to a path; shards listen on duplicates of it. Only
   * where threads can pass descriptors.
   */
  readonly isBoundByMain: boolean
}

export const transportTraits = {
  unix: { halfClose: true, listeningShards: 'all', hasDescriptor: true, isBoundByMain: true },
  fd: { halfClose: true, listeningShards: 'all', hasDescriptor: true, isBoundByMain: true },
  // The first to create an instance of a named pipe owns it: see docs/decisions/pipe-listening.md.
  pipe: { halfClose: false, listeningShards: 'one', hasDescriptor: false, isBoundByMain: false },
  memory: { halfClose: true, listeningShards: 'all', hasDescriptor: false, isBoundByMain: false },
  'child-stdio': { halfClose: true, listeningShards: 'none', hasDescriptor: true, isBoundByMain: false },
  'child-pipes': { halfClose: true, listeningShards: 'none', hasDescriptor: false, isBoundByMain: false },
  'process-stdio': { halfClose: true, listeningShards: 'none', hasDescriptor: false, isBoundByMain: false },
} as const satisfies Record<TransportKind, TransportTraits>

type KindsWith<Traits extends Partial<TransportTraits>> = {
  [Kind in TransportKind]: (typeof transportTraits)[Kind] extends Traits ? Kind : never
}[TransportKind]

/** The kinds that can be listened on. */
export type ListeningKind = KindsWith<{ listeningShards: 'one' | 'all' }>

export type ListenTarget = TargetOf<ListeningKind>

export function isBoundByMain(target: TransportTarget): target is TargetOf<KindsWith<{ isBoundByMain: true }>> {
  return passesDescriptors && transportTraits[target.kind].isBoundByMain
}

/** Main cannot pass its socket: one shard binds it. See docs/decisions/listening-in-deno.md. */
export function isBoundByShard(target: TransportTarget): target is TargetOf<'unix'> {
  return !passesDescriptors && target.kind === 'unix'
}

/** The others take over when that one dies. */
export function isOnOneShard(target: ListenTarget): boolean {
  return isBoundByShard(target) || transportTraits[target.kind].listeningShards === 'one'
}

/** Linux abstract names have no file. */
export function isAbstract({ path }: UnixTarget): boolean {
  return path.startsWith('\0')
}

/** Which side of a connection an end is. */
export type Role = 'dialled' | 'accepted'

/** File descriptor of stdin or stdout. */
export type StdioDescriptor = 0 | 1

/** The folder of `local:` names. */
export interface LocalFolder {
  readonly path: string
  /** `XDG_RUNTIME_DIR`, in which it lies; undefined: it lies below the system's temporary folder. */
  readonly base: string | undefined
}

/** `sun_path` has room for this many bytes. Node 20 and 22 cut off the end of a longer path without an error. */
export const SOCKET_PATH_LIMIT = process.platform === 'linux' ? 107 : 103
