/** What endpoints mean on this machine. */
import os from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import type { ChildSettings } from '../engine/process/child.js'
import { TransportError } from '../engine/protocol/errors.js'
import {
  transportTraits,
  type ListenTarget,
  type LocalFolder,
  type TransportTraits,
} from '../engine/protocol/target.js'
import { invalidEndpoint, PIPE_PREFIX, readEndpoint, type CheckedChild, type CheckedPipe } from './endpoint-input.js'

/**
 * - `{kind: 'unix', path}` or `unix:PATH`: a Unix domain socket; at most 107 bytes of path on Linux, 103 elsewhere
 * - `{kind: 'unix', abstract}` or `unix:@NAME`: a Linux abstract socket, which has no file and no file mode; on Node 20
 *   other
 *   programs know it with NULs at its end
 * - `{kind: 'local', name}` or `local:NAME`: a socket of that name in a private folder of the user's, which is looked
 *   at
 *   whenever it is used; on Windows a pipe
 * - `{kind: 'pipe', name}`, `pipe:NAME` or `\\\\.\\pipe\\NAME`: a Windows named pipe
 * - `{kind: 'memory', name}` or `memory:NAME`: within one engine, through real shards, for tests
 * - `stdio:` or `{kind: 'stdio'}`: the process's own stdin and stdout; to connect to, once, not to listen on
 * - `{kind: 'stdio', command, …}`: a child process, by its stdin and stdout; to connect to, not to listen on
 */
export type EndpointObject =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'unix'; readonly abstract: string }
  | { readonly kind: 'local'; readonly name: string }
  | PipeEndpoint
  | { readonly kind: 'memory'; readonly name: string }
  | ProcessStdioEndpoint
  | ChildEndpoint

/** A Windows named pipe. */
export interface PipeEndpoint {
  readonly kind: 'pipe'
  /** What follows `\\\\.\\pipe\\`: up to 240 characters, no slash or backslash, no dot or space at its end. */
  readonly name: string
  /**
   * When listening: every user may connect in order to read. Default false: that is up to the system, which gives all
   * access to the creator, administrators and itself, and lets other users open a pipe for reading only.
   */
  readonly readableAll?: boolean | undefined
  /** When listening: every user may write. Default false. */
  readonly writableAll?: boolean | undefined
}

/**
 * The process's own stdin and stdout, whatever they are: pipes, sockets, files, a terminal. They are one connection,
 * once: a second `connect()` rejects with ERR_ADDRESS_IN_USE while it is open and with ERR_CLOSED after it. Not on
 * Windows.
 */
export interface ProcessStdioEndpoint {
  readonly kind: 'stdio'
}

/**
 * A child process. It is started by `connect()`, once for each call, and never outlives the engine, nor a host that
 * exits. What becomes of it when a signal ends the host: see `guard`.
 */
export interface ChildEndpoint {
  readonly kind: 'stdio'
  /** A path, or a name that is looked for in PATH. No shell is involved. */
  readonly command: string
  readonly args?: readonly string[] | undefined
  /** Default: the host's own. */
  readonly cwd?: string | undefined
  /** Its whole environment. Default: the host's own. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  /**
   * What becomes of its stderr: `capture` (default) keeps the first 2,048 characters for error messages and drops the
   * rest, `ignore`, `inherit` (the host's own), or a function that is called with each line; lines of more than 65,536
   * characters come in pieces. One that throws or rejects ends the connection with ERR_HANDLER, which `onError` is told
   * or else a process warning.
   */
  readonly stderr?: 'capture' | 'ignore' | 'inherit' | ((line: string) => unknown) | undefined
  /** True: it gets a process group of its own, all of which is ended with it. Default false. Refused on Windows. */
  readonly processGroup?: boolean | undefined
  /**
   * From the end of its stdin to SIGTERM, in milliseconds; from `close()`, or the end of its stdout without
   * `allowHalfOpen`, also when what was sent before that end has not left. Default 2,000. Windows has no signals: there
   * either of them ends the child at once.
   */
  readonly terminateAfterMs?: number | undefined
  /** From SIGTERM to SIGKILL, in milliseconds. Default 2,000. */
  readonly killAfterMs?: number | undefined
  /**
   * What a host that a signal ends (SIGKILL, or one that it does not handle) can no longer do, a guardian does: a
   * process of /bin/sh, one for each engine. After the end of stdin the child gets SIGTERM and SIGKILL, in the times
   * above. Default true. False: it sees the end of its stdin and may live on. Where there is no /bin/sh, a process
   * warning says so. Windows ends such children by itself, whatever this says.
   */
  readonly guard?: boolean | undefined
}

export type Endpoint = string | EndpointObject

export interface ResolvedEndpoint {
  readonly kind: EndpointObject['kind']
  /** As text, the way it is shown in errors and in `info`. */
  readonly text: string
  readonly route: Route
}

/** What a shard dials or listens on, or what has to be started first. */
export type Route =
  | { readonly via: 'target'; readonly target: ListenTarget }
  | { readonly via: 'child'; readonly child: ChildSettings }
  | { readonly via: 'process-stdio' }

/** `sun_path` has room for this many bytes. Node 20 and 22 cut a longer path off in silence. */
export const SOCKET_PATH_LIMIT = process.platform === 'linux' ? 107 : 103

export function traitsOf({ route }: ResolvedEndpoint): TransportTraits {
  if (route.via === 'target') return transportTraits[route.target.kind]
  return transportTraits[route.via === 'child' ? 'child-stdio' : 'process-stdio']
}

const PLAIN_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

export function resolveEndpoint(endpoint: Endpoint): ResolvedEndpoint {
  const object = readEndpoint(endpoint)
  switch (object.kind) {
    case 'unix':
      return 'abstract' in object ? resolveAbstract(object.abstract) : resolvePath(object.path)
    case 'local': {
      assertPlainName(object.name, `local:${object.name}`)
      if (process.platform === 'win32') return resolveLocalPipe(object.name)
      const within = localFolder()
      return {
        ...resolvePath(join(within.path, `${object.name}.sock`), within),
        kind: 'local',
        text: `local:${object.name}`,
      }
    }
    case 'pipe':
      return resolvePipe(object)
    case 'memory':
      assertPlainName(object.name, `memory:${object.name}`)
      return {
        kind: 'memory',
        text: `memory:${object.name}`,
        route: { via: 'target', target: { kind: 'memory', name: object.name } },
      }
    case 'stdio':
      return 'command' in object ? resolveChild(object) : resolveOwnStdio()
  }
}

function resolvePath(path: string, within?: LocalFolder): ResolvedEndpoint {
  const text = `unix:${path}`
  assertUnixPlatform(text)
  if (path.trim() === '' || path.includes('\0')) throw invalidEndpoint(text, 'the path is empty or contains a NUL')
  // ShardBindings would leave the slash out, and connecting would not.
  if (path.endsWith('/'))
    throw invalidEndpoint(text, 'it ends in a slash, as a folder does. Write the path of a socket, without it')
  const bytes = Buffer.byteLength(path)
  if (bytes > SOCKET_PATH_LIMIT) {
    throw new TransportError(
      'ERR_PATH_TOO_LONG',
      `${text}: the path has ${String(bytes)} bytes, the system allows ${String(SOCKET_PATH_LIMIT)}. Use a shorter folder, or local:NAME.`,
      { endpoint: text },
    )
  }
  const target = { kind: 'unix', path, ...(within !== undefined && { within }) } as const
  return { kind: 'unix', text, route: { via: 'target', target } }
}

function resolveAbstract(name: string): ResolvedEndpoint {
  const text = `unix:@${name}`
  if (process.platform !== 'linux') {
    throw new TransportError(
      'ERR_UNSUPPORTED_PLATFORM',
      `${text}: abstract sockets exist on Linux only. Use local:NAME.`,
      {
        endpoint: text,
      },
    )
  }
  if (name.trim() === '' || name.includes('\0')) throw invalidEndpoint(text, 'the name is empty or contains a NUL')
  if (Buffer.byteLength(name) > SOCKET_PATH_LIMIT) {
    throw new TransportError(
      'ERR_PATH_TOO_LONG',
      `${text}: the name has ${String(Buffer.byteLength(name))} bytes, the system allows ${String(SOCKET_PATH_LIMIT)}.`,
      { endpoint: text },
    )
  }
  return { kind: 'unix', text, route: { via: 'target', target: { kind: 'unix', path: `\0${name}` } } }
}

function resolvePipe({ name, readableAll, writableAll }: CheckedPipe): ResolvedEndpoint {
  const text = `pipe:${name}`
  if (process.platform !== 'win32') {
    throw new TransportError(
      'ERR_UNSUPPORTED_PLATFORM',
      `${text}: named pipes exist on Windows only. Use local:NAME, which is a socket here and a pipe there.`,
      { endpoint: text },
    )
  }
  return {
    kind: 'pipe',
    text,
    route: {
      via: 'target',
      target: { kind: 'pipe', path: `${PIPE_PREFIX}${name}`, readableAll, writableAll },
    },
  }
}

/** The user's own name for it: pipes of all users share one folder. */
function resolveLocalPipe(name: string): ResolvedEndpoint {
  const user = os.userInfo().username.replaceAll(/[^A-Za-z0-9._-]/g, '_')
  const resolved = resolvePipe({
    kind: 'pipe',
    name: `symphony-transport-${user}-${name}`,
    readableAll: false,
    writableAll: false,
  })
  return { ...resolved, kind: 'local', text: `local:${name}` }
}

function resolveChild(endpoint: CheckedChild): ResolvedEndpoint {
  const { command, args, cwd, env, stderr, processGroup, terminateAfterMs, killAfterMs, guard } = endpoint
  const text = `stdio:${command}`
  if (processGroup && process.platform === 'win32') {
    throw new TransportError(
      'ERR_UNSUPPORTED_PLATFORM',
      `${text}: Windows has no process groups. Leave processGroup out there; the child ends with its host all the same.`,
      { endpoint: text },
    )
  }
  return {
    kind: 'stdio',
    text,
    route: {
      via: 'child',
      child: { command, args, cwd, env, stderr, processGroup, terminateAfterMs, killAfterMs, guard },
    },
  }
}

function resolveOwnStdio(): ResolvedEndpoint {
  const text = 'stdio:'
  if (process.platform === 'win32') {
    throw new TransportError(
      'ERR_UNSUPPORTED_PLATFORM',
      `${text} the own stdin and stdout are not available on Windows. Use pipe:NAME.`,
      { endpoint: text },
    )
  }
  return { kind: 'stdio', text, route: { via: 'process-stdio' } }
}

function assertPlainName(name: string, text: string): void {
  if (!PLAIN_NAME.test(name)) {
    throw invalidEndpoint(text, 'a name has 1 to 64 of A-Z a-z 0-9 . _ - and starts with a letter or digit')
  }
}

function assertUnixPlatform(text: string): void {
  if (process.platform === 'win32') {
    throw new TransportError('ERR_UNSUPPORTED_PLATFORM', `${text}: Unix sockets are not available on Windows here.`, {
      endpoint: text,
    })
  }
}

/**
 * Where it lies: in `XDG_RUNTIME_DIR`, which no cleaner empties, else below the system's temporary folder. A relative
 * `XDG_RUNTIME_DIR` is to be ignored, its specification says: it would mean another folder to each process. Whether the
 * folder is the user's own is looked at when it is used.
 */
function localFolder(): LocalFolder {
  const base = process.env['XDG_RUNTIME_DIR']
  if (base !== undefined && isAbsolute(base)) return { path: join(base, 'symphony-transport'), base }
  const user = String(process.geteuid?.() ?? 0)
  return { path: resolve(os.tmpdir(), `symphony-transport-${user}`), base: undefined }
}
