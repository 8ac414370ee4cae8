/** What endpoints mean on this machine. */
import os from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import type { ResolvedEndpoint } from '../engine/core/resolved-endpoint.js'
import { fromSystemError, TransportError } from '../engine/protocol/errors.js'
import { SOCKET_PATH_LIMIT, type LocalFolder } from '../engine/protocol/target.js'
import {
  invalidEndpoint,
  PIPE_PREFIX,
  readEndpoint,
  type CheckedChild,
  type CheckedPipe,
  type CheckedShm,
} from './endpoint-input.js'

/**
 * - `{kind: 'unix', path}` or `unix:PATH`: a Unix domain socket; at most 107 bytes of path on Linux, 103 elsewhere
 * - `{kind: 'unix', abstract}` or `unix:@NAME`: a Linux abstract socket, which has no file and no file mode; on Node 20
 *   other programs know it with NULs at its end
 * - `{kind: 'local', name}` or `local:NAME`: a socket of that name in a private folder of the user's, which is checked
 *   whenever it is used; on Windows a pipe
 * - `{kind: 'shm', name}` or `shm:NAME`: frames through memory that both processes have mapped, where both can, else
 *   over the socket by which they meet. It lies in the folder of `local:NAME`, and is another one. Not on Windows
 * - `{kind: 'shm', path}` or `shm:/PATH`: the same, with the socket at an absolute path
 * - `{kind: 'pipe', name}`, `pipe:NAME` or `\\\\.\\pipe\\NAME`: a Windows named pipe
 * - `{kind: 'memory', name}` or `memory:NAME`: within one engine, through real shards, for tests
 * - `{kind: 'fd', fd}` or `fd:N`: a listening Unix socket that the process was started with; to listen on, not to
 *   connect to. See `activatedEndpoints()`
 * - `stdio:` or `{kind: 'stdio'}`: the process's own stdin and stdout; to connect to, once, not to listen on
 * - `{kind: 'stdio', command, …}`: a child process, by its stdin and stdout; to connect to, not to listen on
 */
export type EndpointObject =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'unix'; readonly abstract: string }
  | { readonly kind: 'local'; readonly name: string }
  | { readonly kind: 'shm'; readonly name: string }
  | { readonly kind: 'shm'; readonly path: string }
  | PipeEndpoint
  | { readonly kind: 'memory'; readonly name: string }
  | FdEndpoint
  | ProcessStdioEndpoint
  | ChildEndpoint

/**
 * A Unix stream socket that listens already, and that the parent process has passed: systemd, say, or a supervisor. A
 * listener's `backlog` becomes that of the socket; its `mode` means nothing, and no file is made or removed. `close()`
 * of the listener closes the descriptor in this process; other processes that have the socket keep it. A `listen()`
 * that rejects leaves it open. Not on Windows.
 */
export interface FdEndpoint {
  readonly kind: 'fd'
  /** The number of the descriptor, from 3 up. */
  readonly fd: number
  /** What the parent calls it. Nothing depends on it. */
  readonly name?: string | undefined
}

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
 * once: a second `connect()` rejects with ERR_ADDRESS_IN_USE while it is open, ERR_CLOSED after it. Not on Windows.
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
  /** Default: that of the host. */
  readonly cwd?: string | undefined
  /** Its whole environment. Default: that of the host. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  /**
   * What becomes of its stderr: `capture` (default) keeps the first 2,048 characters for error messages and drops the
   * rest, `ignore`, `inherit` (the host's own), or a function that gets each line, in pieces past 65,536 characters. If
   * it throws or rejects, the connection ends with ERR_HANDLER, which goes to `onError` or a process warning.
   */
  readonly stderr?: 'capture' | 'ignore' | 'inherit' | ((line: string) => unknown) | undefined
  /** True: it gets its own process group, all of which is ended with it. Default false. Refused on Windows. */
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

const LONGEST_PLAIN_NAME = 64
const PLAIN_NAME = new RegExp(`^[A-Za-z0-9][A-Za-z0-9._-]{0,${String(LONGEST_PLAIN_NAME - 1)}}$`)

/** In bytes, of `local:` names in that folder. */
export function longestLocalName(folder: string): number {
  return Math.min(LONGEST_PLAIN_NAME, SOCKET_PATH_LIMIT - Buffer.byteLength(join(folder, '.sock')))
}

export function resolveEndpoint(endpoint: Endpoint): ResolvedEndpoint {
  const object = readEndpoint(endpoint)
  switch (object.kind) {
    case 'unix':
      return 'abstract' in object ? resolveAbstract(object.abstract) : resolvePath('unix', object.path)
    case 'local': {
      const text = `local:${object.name}`
      assertPlainName(object.name, text)
      if (process.platform === 'win32') return { ...resolveLocalPipe(object.name), kind: 'local', text }
      const within = localFolder(text)
      return { ...resolvePath('unix', join(within.path, `${object.name}.sock`), within), kind: 'local', text }
    }
    case 'shm':
      return resolveShm(object)
    case 'pipe':
      return resolvePipe(object)
    case 'memory': {
      const text = `memory:${object.name}`
      assertPlainName(object.name, text)
      return { kind: 'memory', text, route: { via: 'target', target: { kind: 'memory', name: object.name } } }
    }
    case 'fd':
      return resolveFd(object.fd)
    case 'stdio':
      return 'command' in object ? resolveChild(object) : resolveProcessStdio()
  }
}

function resolveShm(object: CheckedShm): ResolvedEndpoint {
  const text = `shm:${'name' in object ? object.name : object.path}`
  if ('name' in object) assertPlainName(object.name, text)
  else if (!object.path.startsWith('/'))
    throw invalidEndpoint(text, 'a path begins with a slash here. Write shm:/absolute/path, or shm:NAME')
  if (process.platform === 'win32')
    throw unsupported(text, 'shared memory is not available on Windows. Use local:NAME.')
  if ('path' in object) return resolvePath('shm', object.path)
  const within = localFolder(text)
  // No socket of `local:` ends in this.
  return { ...resolvePath('shm', join(within.path, `${object.name}.shm`), within), text }
}

function resolvePath(kind: 'unix' | 'shm', path: string, within?: LocalFolder): ResolvedEndpoint {
  const text = `${kind}:${path}`
  if (process.platform === 'win32') throw unsupported(text, 'Unix sockets are not available on Windows here.')
  if (path.trim() === '' || path.includes('\0')) throw invalidEndpoint(text, 'the path is empty or contains a NUL')
  // Binding would leave the slash out, and connecting would not.
  if (path.endsWith('/'))
    throw invalidEndpoint(text, 'it ends in a slash, as a folder does. Write the path of a socket, without it')
  assertFits(path, text, 'path', ` Use a shorter folder, or ${kind === 'unix' ? 'local' : kind}:NAME.`)
  const target = { kind: 'unix', path, ...(within !== undefined && { within }) } as const
  return { kind, text, route: { via: 'target', target } }
}

function resolveAbstract(name: string): ResolvedEndpoint {
  const text = `unix:@${name}`
  if (process.platform !== 'linux') throw unsupported(text, 'abstract sockets exist on Linux only. Use local:NAME.')
  if (name.trim() === '' || name.includes('\0')) throw invalidEndpoint(text, 'the name is empty or contains a NUL')
  assertFits(name, text, 'name', '')
  return { kind: 'unix', text, route: { via: 'target', target: { kind: 'unix', path: `\0${name}` } } }
}

function resolvePipe({ name, readableAll, writableAll }: CheckedPipe): ResolvedEndpoint {
  const text = `pipe:${name}`
  if (process.platform !== 'win32') {
    const advice = 'Use local:NAME, which is a socket here and a pipe there.'
    throw unsupported(text, `named pipes exist on Windows only. ${advice}`)
  }
  const target = { kind: 'pipe', path: `${PIPE_PREFIX}${name}`, readableAll, writableAll } as const
  return { kind: 'pipe', text, route: { via: 'target', target } }
}

/** With the user's name in it: pipes of all users share one folder. */
function resolveLocalPipe(name: string): ResolvedEndpoint {
  const user = os.userInfo().username.replaceAll(/[^A-Za-z0-9._-]/g, '_')
  const pipe = `symphony-transport-${user}-${name}`
  return resolvePipe({ kind: 'pipe', name: pipe, readableAll: false, writableAll: false })
}

function resolveFd(fd: number): ResolvedEndpoint {
  const text = `fd:${String(fd)}`
  if (process.platform === 'win32')
    throw unsupported(text, 'Windows hands no sockets to the processes that it starts. Use local:NAME.')
  return { kind: 'fd', text, route: { via: 'target', target: { kind: 'fd', fd } } }
}

function resolveChild({ kind, ...child }: CheckedChild): ResolvedEndpoint {
  const text = `stdio:${child.command}`
  if (child.processGroup && process.platform === 'win32') {
    const advice = 'Leave processGroup out there; the child ends with its host all the same.'
    throw unsupported(text, `Windows has no process groups. ${advice}`)
  }
  const { cwd, env } = child
  return { kind, text, route: { via: 'child', child: { ...child, cwd, env } } }
}

function resolveProcessStdio(): ResolvedEndpoint {
  const text = 'stdio:'
  if (process.platform === 'win32')
    throw unsupported('stdio', 'the own stdin and stdout are not available on Windows. Use pipe:NAME.', text)
  return { kind: 'stdio', text, route: { via: 'process-stdio' } }
}

function assertPlainName(name: string, text: string): void {
  if (PLAIN_NAME.test(name)) return
  throw invalidEndpoint(text, 'a name has 1 to 64 of A-Z a-z 0-9 . _ - and starts with a letter or digit')
}

function assertFits(path: string, endpoint: string, what: string, advice: string): void {
  const bytes = Buffer.byteLength(path)
  if (bytes <= SOCKET_PATH_LIMIT) return
  throw new TransportError(
    'ERR_PATH_TOO_LONG',
    `${endpoint}: the ${what} has ${String(bytes)} bytes, the system allows ${String(SOCKET_PATH_LIMIT)}.${advice}`,
    { endpoint },
  )
}

function unsupported(text: string, why: string, endpoint = text): TransportError {
  return new TransportError('ERR_UNSUPPORTED_PLATFORM', `${text}: ${why}`, { endpoint })
}

/**
 * Where sockets of `local:` and `shm:` names lie: in `XDG_RUNTIME_DIR`, which no cleaner empties, else below the
 * system's temporary folder. The specification of `XDG_RUNTIME_DIR` says to ignore a relative one: it would mean
 * another folder to each process. Whether the folder is the user's alone is checked when it is used.
 */
export function localFolder(text: string): LocalFolder {
  const base = process.env['XDG_RUNTIME_DIR']
  if (base !== undefined && isAbsolute(base)) return { path: join(base, 'symphony-transport'), base }
  const user = userNumber(text)
  return { path: resolve(os.tmpdir(), `symphony-transport-${user}`), base: undefined }
}

function userNumber(text: string): string {
  try {
    return String(process.geteuid?.() ?? 0)
  } catch (error) {
    // Deno asks for a permission.
    throw fromSystemError(error as NodeJS.ErrnoException, 'opening', text)
  }
}
