/** Endpoints as a caller writes them, and what they mean on this machine. */
import fs from 'node:fs'
import os from 'node:os'
import { isAbsolute, join } from 'node:path'
import { TransportError } from '../engine/shared/errors.js'
import type { TransportTarget } from '../engine/shared/target.js'

/**
 * - `{kind: 'unix', path}` or `unix:PATH`: a Unix domain socket; at most 107 bytes of path on Linux, 103 elsewhere
 * - `{kind: 'unix', abstract}` or `unix:@NAME`: a Linux abstract socket, which has no file and no file mode
 * - `{kind: 'local', name}` or `local:NAME`: a socket of that name in a private folder of the user's
 * - `{kind: 'memory', name}` or `memory:NAME`: within one engine, through real shards, for tests
 */
export type EndpointObject =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'unix'; readonly abstract: string }
  | { readonly kind: 'local'; readonly name: string }
  | { readonly kind: 'memory'; readonly name: string }

export type Endpoint = string | EndpointObject

export interface ResolvedEndpoint {
  readonly kind: EndpointObject['kind']
  /** As text, the way it is shown in errors and in `info`. */
  readonly text: string
  readonly target: TransportTarget
}

/** `sun_path` has room for this many bytes. Node 20 and 22 cut a longer path off in silence. */
export const SOCKET_PATH_LIMIT = process.platform === 'linux' ? 107 : 103

const PLAIN_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

export function resolveEndpoint(endpoint: Endpoint): ResolvedEndpoint {
  const object = typeof endpoint === 'string' ? parse(endpoint) : checkObject(endpoint)
  switch (object.kind) {
    case 'unix':
      return 'abstract' in object ? resolveAbstract(object.abstract) : resolvePath(object.path)
    case 'local': {
      assertPlainName(object.name, `local:${object.name}`)
      assertUnixPlatform(`local:${object.name}`)
      const path = join(runtimeFolder(`local:${object.name}`), `${object.name}.sock`)
      return { ...resolvePath(path), kind: 'local', text: `local:${object.name}` }
    }
    case 'memory':
      assertPlainName(object.name, `memory:${object.name}`)
      return { kind: 'memory', text: `memory:${object.name}`, target: { kind: 'memory', name: object.name } }
  }
}

function parse(text: string): EndpointObject {
  const colon = text.indexOf(':')
  const rest = text.slice(colon + 1)
  switch (colon === -1 ? '' : text.slice(0, colon)) {
    case 'unix':
      return rest.startsWith('@') ? { kind: 'unix', abstract: rest.slice(1) } : { kind: 'unix', path: rest }
    case 'local':
      return { kind: 'local', name: rest }
    case 'memory':
      return { kind: 'memory', name: rest }
    default:
      throw invalid(text, 'write unix:PATH, unix:@NAME, local:NAME or memory:NAME')
  }
}

function checkObject(endpoint: EndpointObject): EndpointObject {
  const given = endpoint as unknown as Record<string, unknown> | null
  const shown = JSON.stringify(endpoint)
  if (typeof given !== 'object' || given === null)
    throw invalid(shown, 'give a string or an object with a kind')
  const keys = Object.keys(given).filter((key) => key !== 'kind')
  const [key] = keys
  const allowed = given['kind'] === 'unix' ? ['path', 'abstract'] : ['name']
  if (!['unix', 'local', 'memory'].includes(String(given['kind'])))
    throw invalid(shown, 'kind is unix, local or memory')
  if (keys.length !== 1 || key === undefined || !allowed.includes(key) || typeof given[key] !== 'string') {
    throw invalid(shown, `besides kind it needs exactly one of: ${allowed.join(', ')}`)
  }
  return endpoint
}

function resolvePath(path: string): ResolvedEndpoint {
  const text = `unix:${path}`
  assertUnixPlatform(text)
  if (path === '' || path.includes('\0')) throw invalid(text, 'the path is empty or contains a NUL')
  const bytes = Buffer.byteLength(path)
  if (bytes > SOCKET_PATH_LIMIT) {
    throw new TransportError(
      'ERR_PATH_TOO_LONG',
      `${text}: the path has ${String(bytes)} bytes, the system allows ${String(SOCKET_PATH_LIMIT)}. Use a shorter folder, or local:NAME.`,
      { endpoint: text },
    )
  }
  return { kind: 'unix', text, target: { kind: 'unix', path } }
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
  if (name === '' || name.includes('\0')) throw invalid(text, 'the name is empty or contains a NUL')
  if (Buffer.byteLength(name) > SOCKET_PATH_LIMIT) {
    throw new TransportError(
      'ERR_PATH_TOO_LONG',
      `${text}: the name has ${String(Buffer.byteLength(name))} bytes, the system allows ${String(SOCKET_PATH_LIMIT)}.`,
      { endpoint: text },
    )
  }
  return { kind: 'unix', text, target: { kind: 'unix', path: `\0${name}` } }
}

function assertPlainName(name: string, text: string): void {
  if (!PLAIN_NAME.test(name)) {
    throw invalid(text, 'a name has 1 to 64 of A-Z a-z 0-9 . _ - and starts with a letter or digit')
  }
}

function assertUnixPlatform(text: string): void {
  if (process.platform === 'win32') {
    throw new TransportError(
      'ERR_UNSUPPORTED_PLATFORM',
      `${text}: Unix sockets are not available on Windows here.`,
      {
        endpoint: text,
      },
    )
  }
}

/**
 * A folder that only its owner can enter: `XDG_RUNTIME_DIR`, which no cleaner empties, else one below the system's. A
 * relative `XDG_RUNTIME_DIR` is to be ignored, its specification says: it would mean another folder to each process.
 */
function runtimeFolder(text: string): string {
  const given = process.env['XDG_RUNTIME_DIR']
  const base = given !== undefined && isAbsolute(given) ? given : undefined
  const uid = process.getuid?.() ?? 0
  const folder =
    base !== undefined
      ? join(base, 'symphony-transport')
      : join(os.tmpdir(), `symphony-transport-${String(uid)}`)
  try {
    fs.mkdirSync(folder, { mode: 0o700, recursive: base !== undefined })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
      throw new TransportError(
        'ERR_ACCESS',
        `${text}: cannot make the folder ${folder}. Set XDG_RUNTIME_DIR to a writable one.`,
        {
          cause: error,
          endpoint: text,
        },
      )
    }
  }
  const stat = fs.lstatSync(folder)
  if (!stat.isDirectory() || stat.uid !== uid || (stat.mode & 0o077) !== 0) {
    throw new TransportError(
      'ERR_ACCESS',
      `${text}: ${folder} is not a folder that only you can enter. Remove it, or chmod 700 it after checking who made it.`,
      { endpoint: text },
    )
  }
  return folder
}

function invalid(text: string, advice: string): TransportError {
  return new TransportError(
    'ERR_INVALID_ENDPOINT',
    `${JSON.stringify(text)} is not an endpoint: ${advice}.`,
    { endpoint: text },
  )
}
