/** What `doctor` knows of the place where it runs. What follows from it is in `findings.ts`. */

/** Something was tried. */
export type Trial<Found = object> =
  | ({ readonly works: true } & Found)
  /** In one sentence. `isPending`: it was given up, and may keep the process alive. */
  | { readonly works: false; readonly reason: string; readonly isPending?: boolean }

/** Undefined: it was not tried, since it needs another that does not work. */
export interface Trials {
  /** A socket or a pipe by Node's `net` alone. */
  readonly net: Trial
  /** An engine with two worker threads. */
  readonly engine: Trial
  /** Its round trip over a socket file or a pipe, on which both threads listen. */
  readonly listening: Trial | undefined
  readonly local: Trial | undefined
  readonly abstract: Trial | undefined
  /** `provider`: what makes the system calls. */
  readonly shared: Trial<{ readonly provider: string }> | undefined
}

/** Where sockets of `local:` names lie. */
export interface RuntimeFolder {
  readonly path: string
  /** What the environment has. */
  readonly variable: string | undefined
  /** Whether the folder lies there; otherwise below the system's temporary folder. */
  readonly isUsed: boolean
  /** Undefined: it is not there, and the first listener makes it. */
  readonly stat: { readonly isOwn: boolean; readonly mode: number } | undefined
  /** How many bytes a name may have. */
  readonly nameBytes: number
}

export interface Permission {
  /** As `process.permission.has()` has it. */
  readonly name: string
  readonly flag: string
  readonly isGranted: boolean
}

export interface Facts {
  readonly runtime: { readonly name: 'Node' | 'Bun' | 'Deno' | 'Electron'; readonly version: string }
  /** The version of Node that it is, or says it is compatible with. */
  readonly node: string
  /** As `process.platform` and `process.arch`. */
  readonly system: string
  readonly arch: string
  readonly hasSharedArrayBuffer: boolean
  readonly processors: number
  readonly defaultShards: number
  /** Infinity: there is no limit. Undefined: the system does not tell. */
  readonly descriptors: { readonly soft: number; readonly hard: number } | undefined
  /** Undefined: `local:` names are pipes here. */
  readonly runtimeFolder: RuntimeFolder | undefined
  /** Undefined: the permission model is off. */
  readonly permissions: readonly Permission[] | undefined
  /** Sockets that systemd has passed. */
  readonly activation: { readonly count: number; readonly isForUs: boolean } | undefined
  /** For the guardian of child processes; true where there is none. */
  readonly hasShell: boolean
  readonly trials: Trials
}
