/** Reads endpoints as a caller writes them, as text or as an object. Errors say what to write instead. */
import { fileURLToPath } from 'node:url'
import * as v from 'valibot'
import { closest } from '../engine/common/closest.js'
import { describe, isObject, kindOf } from '../engine/common/describe.js'
import { TransportError } from '../engine/protocol/errors.js'
import { Problems } from '../engine/common/option-problems.js'
import { callback, milliseconds } from './option-schemas.js'
import { read } from './read-options.js'

export const PIPE_PREFIX = '\\\\.\\pipe\\'
/**
 * The system allows 256 characters with the prefix. It takes a slash for a backslash, resolves `..`, and drops dots and
 * spaces at the end: such a name would be another pipe's, or no pipe at all.
 */
const PIPE_NAME = /^[^\\/\0]{0,239}[^\\/\0. ]$/

const kinds = ['unix', 'local', 'shm', 'pipe', 'memory', 'stdio', 'fd'] as const

const unixSchema = v.strictObject({
  kind: v.literal('unix'),
  path: v.optional(v.string()),
  abstract: v.optional(v.string()),
})
const localSchema = v.strictObject({ kind: v.literal('local'), name: v.string() })
const shmSchema = v.strictObject({
  kind: v.literal('shm'),
  name: v.optional(v.string()),
  path: v.optional(v.string()),
})
const memorySchema = v.strictObject({ kind: v.literal('memory'), name: v.string() })
export const pipeSchema = v.strictObject({
  kind: v.literal('pipe'),
  name: v.pipe(
    v.string(),
    v.regex(
      PIPE_NAME,
      'a name of 1 to 240 characters, without slash or backslash, and with no dot or space at its end',
    ),
  ),
  readableAll: v.optional(v.boolean(), false),
  writableAll: v.optional(v.boolean(), false),
})

/** 0 to 2 are stdin, stdout and stderr: what closes them would close whatever Node prints to next. */
const LEAST_FD = 3
const MOST_FD = 2 ** 31 - 1
const WHICH_FD = 'the number of a descriptor, from 3 up'

const fdSchema = v.strictObject({
  kind: v.literal('fd'),
  fd: v.pipe(v.number(WHICH_FD), v.integer(WHICH_FD), v.minValue(LEAST_FD, WHICH_FD), v.maxValue(MOST_FD, WHICH_FD)),
  name: v.optional(v.string()),
})

const processStdioSchema = v.strictObject({ kind: v.literal('stdio') })

export const childSchema = v.strictObject({
  kind: v.literal('stdio'),
  command: v.pipe(v.string(), v.nonEmpty('the path or name of a program')),
  args: v.optional(v.array(v.string()), []),
  cwd: v.optional(v.string()),
  env: v.optional(v.record(v.string(), v.optional(v.string()))),
  stderr: v.optional(
    v.union([v.picklist(['capture', 'ignore', 'inherit']), callback<(line: string) => unknown>()]),
    'capture',
  ),
  processGroup: v.optional(v.boolean(), false),
  terminateAfterMs: milliseconds(2_000),
  killAfterMs: milliseconds(2_000),
  guard: v.optional(v.boolean(), true),
})

export type CheckedPipe = v.InferOutput<typeof pipeSchema>
export type CheckedChild = v.InferOutput<typeof childSchema>

export type CheckedShm =
  { readonly kind: 'shm'; readonly name: string } | { readonly kind: 'shm'; readonly path: string }

/** An `EndpointObject` with its defaults, copied, so that the caller can no longer change it. */
type CheckedEndpoint =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'unix'; readonly abstract: string }
  | v.InferOutput<typeof localSchema>
  | CheckedShm
  | v.InferOutput<typeof memorySchema>
  | CheckedPipe
  | v.InferOutput<typeof processStdioSchema>
  | v.InferOutput<typeof fdSchema>
  | CheckedChild

/** @throws {TransportError} ERR_INVALID_ENDPOINT */
export function readEndpoint(endpoint: unknown): CheckedEndpoint {
  if (typeof endpoint === 'string') return readText(endpoint)
  if (isUrl(endpoint))
    throw invalidEndpoint('a URL object', adviceFor(shownOf(endpoint.href)) ?? 'give a string or an object with a kind')
  if (!isObject(endpoint)) throw invalidEndpoint(describe(endpoint), 'give a string or an object with a kind')
  return readObject(endpoint)
}

export function invalidEndpoint(text: string, advice: string, cause?: unknown): TransportError {
  const shown = withoutCredentials(text)
  const end = advice.endsWith('?') || advice.includes('\n') ? '' : '.'
  return new TransportError('ERR_INVALID_ENDPOINT', `${JSON.stringify(shown)} is not an endpoint: ${advice}${end}`, {
    cause,
    endpoint: shown,
  })
}

function readText(text: string): CheckedEndpoint {
  if (text.startsWith(PIPE_PREFIX)) return check(pipeSchema, { kind: 'pipe', name: text.slice(PIPE_PREFIX.length) })
  const shown = shownOf(text)
  const advice = adviceFor(shown)
  if (advice !== undefined) throw invalidEndpoint(shown, advice)
  const colon = text.indexOf(':')
  const rest = text.slice(colon + 1)
  switch (colon === -1 ? '' : text.slice(0, colon)) {
    case 'unix':
      return rest.startsWith('@') ? { kind: 'unix', abstract: rest.slice(1) } : { kind: 'unix', path: rest }
    case 'local':
      return { kind: 'local', name: rest }
    case 'shm':
      return rest.includes('/') ? { kind: 'shm', path: rest } : { kind: 'shm', name: rest }
    case 'pipe':
      return check(pipeSchema, { kind: 'pipe', name: rest })
    case 'memory':
      return { kind: 'memory', name: rest }
    case 'stdio':
      if (rest !== '') throw invalidEndpoint(shown, "write stdio:, or {kind: 'stdio', command} for a child process")
      return { kind: 'stdio' }
    case 'fd':
      // Number() would also take an empty text, a sign or another notation.
      return check(fdSchema, { kind: 'fd', fd: /^\d+$/.test(rest) ? Number(rest) : rest })
    default:
      throw invalidEndpoint(
        shown,
        'write unix:PATH, unix:@NAME, pipe:NAME, local:NAME, shm:NAME, memory:NAME, fd:N or stdio:',
      )
  }
}

/** What the text was most likely meant to be; undefined: it may be an endpoint. */
function adviceFor(text: string): string | undefined {
  const trimmed = text.trim()
  if (trimmed === '') return 'it is empty. Write unix:PATH, local:NAME or another one'
  const [, scheme = '', rest = ''] = /^([A-Za-z][A-Za-z0-9+.-]*):(.*)$/s.exec(trimmed) ?? []
  const isPath = trimmed.includes('/') || trimmed.endsWith('.sock')
  if (scheme === '') return isPath ? didYouMean(`unix:${trimmed}`) : undefined
  if (text !== trimmed && !text.startsWith(scheme)) return didYouMean(trimmed)
  if (scheme === 'unix' || scheme === 'shm')
    return rest.startsWith('//') ? didYouMean(`${scheme}:${rest.replace(/^\/+/, '/')}`) : undefined
  const lower = scheme.toLowerCase()
  if (lower === 'file') return didYouMean(`unix:${filePath(trimmed) ?? 'PATH'}`)
  if (lower === 'http+unix' || lower === 'https+unix')
    return `${didYouMean('unix:PATH')} What is spoken there is up to you: this carries frames, not HTTP`
  if (kinds.some((kind) => kind === scheme)) return undefined
  const kind = SHARED_MEMORY.test(lower) ? 'shm' : closest(lower, kinds)
  if (kind === undefined) return undefined
  return didYouMean(`${kind}:${kind === 'unix' || kind === 'shm' ? rest.replace(/^\/\/+/, '/') : rest}`)
}

/** What other programs call it. */
const SHARED_MEMORY = /^(?:shmem|shared|shared[-+.]?memory)$/

function didYouMean(text: string): string {
  return `did you mean ${text}?`
}

function filePath(url: string): string | undefined {
  try {
    return fileURLToPath(url)
  } catch {
    return undefined
  }
}

/** The part of a text that may be shown. A URL may have a password or a token in it, and a command line anything. */
function shownOf(text: string): string {
  const [, start = '', scheme = '', rest = ''] = SCHEME.exec(text) ?? []
  if (rest.trim() !== '' && closest(scheme, kinds) === 'stdio') return `${start}…`
  return withoutCredentials(text)
}

const SCHEME = /^(\s*([A-Za-z][A-Za-z0-9+.-]*):)(.*)$/s

function withoutCredentials(text: string): string {
  const [, start = '', scheme = '', rest = ''] = SCHEME.exec(text) ?? []
  if (scheme === '' || kinds.some((kind) => kind === scheme)) return text.replace(/\/\/.*@/s, '//…@')
  const query = rest.search(/[?#]/)
  const isFile = scheme.toLowerCase() === 'file' && rest.startsWith('///')
  if (isFile || !rest.includes('@')) return query === -1 ? text : `${start}${rest.slice(0, query + 1)}…`
  const slashes = rest.startsWith('//') ? '//' : ''
  // With both, either may be a part of what the other begins or ends.
  return `${start}${slashes}…${query === -1 ? rest.slice(rest.lastIndexOf('@')) : ''}`
}

function isUrl(value: unknown): value is URL {
  try {
    return value instanceof URL
  } catch {
    return false
  }
}

function readObject(endpoint: Readonly<Record<string, unknown>>): CheckedEndpoint {
  const problems = new Problems()
  const kind = problems.read('kind', () => endpoint['kind'])
  if (!problems.isEmpty) throw invalidObject(undefined, problems)
  switch (kind) {
    case 'unix':
      return checkUnix(endpoint)
    case 'local':
      return check(localSchema, endpoint)
    case 'shm':
      return checkShm(endpoint)
    case 'memory':
      return check(memorySchema, endpoint)
    case 'pipe':
      return check(pipeSchema, endpoint)
    case 'fd':
      return check(fdSchema, endpoint)
    case 'stdio':
      return isBare(endpoint) ? check(processStdioSchema, endpoint) : checkChild(endpoint)
    default: {
      const other = typeof kind === 'string' ? closest(kind, kinds) : undefined
      const expected = "'unix', 'local', 'shm', 'pipe', 'memory', 'fd' or 'stdio'"
      problems.wrong('kind', expected, kindOf(kind), other === undefined ? undefined : `'${other}'`)
      throw invalidObject(undefined, problems)
    }
  }
}

function check<Schema extends v.GenericSchema<unknown, { readonly kind: string }>>(
  schema: Schema,
  endpoint: unknown,
  rules?: (output: v.InferOutput<Schema>, problems: Problems) => void,
): v.InferOutput<Schema> {
  const problems = new Problems()
  const output = read(schema, endpoint, problems, 'key')
  if (output !== undefined && problems.isEmpty) rules?.(output, problems)
  if (output === undefined || !problems.isEmpty) throw invalidObject(output, problems)
  return output
}

function checkUnix(endpoint: unknown): CheckedEndpoint {
  const { path, abstract } = check(unixSchema, endpoint, (output, problems) => {
    if ((output.path === undefined) === (output.abstract === undefined))
      problems.add('besides kind it needs exactly one of path and abstract')
  })
  return abstract === undefined ? { kind: 'unix', path: path ?? '' } : { kind: 'unix', abstract }
}

function checkShm(endpoint: unknown): CheckedShm {
  const { name, path } = check(shmSchema, endpoint, (output, problems) => {
    if ((output.name === undefined) === (output.path === undefined))
      problems.add('besides kind it needs exactly one of name and path')
  })
  return name === undefined ? { kind: 'shm', path: path ?? '' } : { kind: 'shm', name }
}

function checkChild(endpoint: unknown): CheckedChild {
  return check(childSchema, endpoint, ({ command, args, cwd = '', env = {} }, problems) => {
    // Node's error for it would show the value.
    const hasNul = (text: string): boolean => text.includes('\0')
    if (hasNul(command)) problems.add('command: it contains a NUL')
    args.forEach((arg, i) => {
      if (hasNul(arg)) problems.add(`args.${String(i)}: it contains a NUL`)
    })
    if (hasNul(cwd)) problems.add('cwd: it contains a NUL')
    for (const [key, value = ''] of Object.entries(env))
      if (hasNul(key) || hasNul(value)) problems.add(`env.${key}: it contains a NUL`)
  })
}

/** Nothing but a kind means the process's own stdin and stdout. A command that is undefined is a mistake. */
function isBare(endpoint: object): boolean {
  try {
    return Object.keys(endpoint).length === 1 && !('command' in endpoint)
  } catch {
    return false
  }
}

/** Shows only where the object leads: an environment, arguments and misplaced values may be secrets. */
function invalidObject(output: object | undefined, problems: Problems): TransportError {
  const { kind, path, abstract, name, command } = (output ?? {}) as Readonly<Record<string, unknown>>
  const where = [path, abstract, name, command].find((part) => typeof part === 'string') ?? ''
  const text = typeof kind === 'string' ? `${kind}:${where}` : 'an object'
  return invalidEndpoint(text, problems.toString(), problems.cause)
}
