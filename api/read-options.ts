/** Reads a caller's options once and checks them against a schema. One error lists all problems, and no values. */
import * as v from 'valibot'
import { closest } from '../engine/common/closest.js'
import { describe, isArray, isObject, kindOf } from '../engine/common/describe.js'
import { Problems } from '../engine/common/option-problems.js'

/** The part of a valibot schema that is read. */
interface Node {
  readonly type: string
  readonly wrapped?: Node
  readonly pipe?: readonly Node[]
  /** Of a union: its schemas; of a list: its values. */
  readonly options?: readonly unknown[]
  readonly entries?: Readonly<Record<string, Node>>
  readonly item?: Node
  readonly value?: Node
  readonly literal?: unknown
  readonly requirement?: unknown
  readonly message?: unknown
}

/** Options of which some may be wrong: those are undefined. */
type Doubtful<T> = T extends (...args: never[]) => unknown
  ? T | undefined
  : T extends object
    ? { readonly [Key in keyof T]: Doubtful<T[Key]> } | undefined
    : T | undefined

/** `rules` checks what has to hold between values. @throws {TransportError} ERR_INVALID_OPTION */
export function parse<Schema extends v.GenericSchema>(
  schema: Schema,
  options: unknown,
  where: string,
  rules?: (output: Doubtful<v.InferOutput<Schema>>, problems: Problems) => void,
): v.InferOutput<Schema> {
  const problems = new Problems()
  const output = read(schema, options === undefined ? {} : options, problems, 'option')
  rules?.(output as Doubtful<v.InferOutput<Schema>>, problems)
  if (output === undefined || !problems.isEmpty) throw problems.toError(where)
  return output
}

/** Whether both are known and a < b. */
export function isLess(a: number | undefined, b: number | undefined): boolean {
  return a !== undefined && b !== undefined && a < b
}

/** Undefined: the value is no object. Adds what is wrong to the problems, which call keys `what`. */
export function read<Schema extends v.GenericSchema>(
  schema: Schema,
  value: unknown,
  problems: Problems,
  what: 'option' | 'key',
): v.InferOutput<Schema> | undefined {
  return new Reading(problems, what).value(schema, value, '')
}

class Reading {
  readonly #problems: Problems
  readonly #what: 'option' | 'key'

  constructor(problems: Problems, what: 'option' | 'key') {
    this.#problems = problems
    this.#what = what
  }

  value(schema: Node, value: unknown, path: string): unknown {
    const entries = choicesOf(schema).find(({ type }) => type === 'strict_object')?.entries
    if (entries !== undefined && isObject(value)) return this.#object(entries, value, path)
    const inner = schema.wrapped ?? schema
    if (inner.type === 'array' && inner.item !== undefined && isArray(value))
      return this.#array(inner.item, value, path)
    if (inner.type === 'record' && inner.value !== undefined && isObject(value))
      return this.#record(inner.value, value, path)
    // To valibot an array and a Map are objects too.
    const takesKeys = entries !== undefined || inner.type === 'record'
    if (isArray(value) || (takesKeys && typeof value === 'object' && value !== null)) {
      this.#problems.wrong(path || 'options', expected(schema, path), describe(value))
      return undefined
    }
    return this.#leaf(schema, value, path)
  }

  #object(entries: Readonly<Record<string, Node>>, value: object, path: string): unknown {
    const known = Object.keys(entries)
    const prefix = path === '' ? '' : `${path}.`
    for (const key of this.#problems.read(path || 'options', () => keysOf(value)) ?? [])
      if (!known.includes(key)) this.#problems.unknown(this.#what, prefix, key, known)
    const output: Record<string, unknown> = {}
    for (const [key, schema] of Object.entries(entries)) output[key] = this.#entry(schema, value, key, prefix)
    return output
  }

  #array(item: Node, value: readonly unknown[], path: string): unknown {
    const length = this.#problems.read(path, () => value.length) ?? 0
    return Array.from({ length }, (_, i) => this.#entry(item, value, i, `${path}.`))
  }

  #record(item: Node, value: object, path: string): unknown {
    const output = Object.create(null) as Record<string, unknown>
    for (const key of this.#problems.read(path, () => Object.keys(value)) ?? [])
      output[key] = this.#entry(item, value, key, `${path}.`)
    return output
  }

  #entry(schema: Node, holder: object, key: string | number, prefix: string): unknown {
    const path = `${prefix}${String(key)}`
    // Wrapped in an object, since undefined is a value too.
    const found = this.#problems.read(path, () => ({ value: (holder as Record<typeof key, unknown>)[key] }))
    return found === undefined ? undefined : this.value(schema, found.value, path)
  }

  #leaf(schema: Node, value: unknown, path: string): unknown {
    const checked = this.#problems.read(path || 'options', () =>
      v.safeParse(schema as unknown as v.GenericSchema, value),
    )
    if (checked === undefined) return undefined
    if (checked.success) return checked.output
    const got = takesNumbers(schema) ? describe(value) : kindOf(value)
    this.#problems.wrong(path || 'options', expected(schema, path), got, suggestion(schema, value))
    return undefined
  }
}

/** Inherited ones too: an instance of a class may be given in place of a literal. */
function keysOf(value: object): string[] {
  const keys: string[] = []
  for (const key in value) keys.push(key)
  return keys
}

/** What a value may be: the schema itself, or those that it chooses from. */
function choicesOf(schema: Node): readonly Node[] {
  const { type, wrapped, options = [] } = schema
  if (wrapped !== undefined) return choicesOf(wrapped)
  return type === 'union' ? (options as readonly Node[]).flatMap(choicesOf) : [schema]
}

/** What a schema accepts, in words. */
function expected(schema: Node, path: string): string {
  return `${listOf(choicesOf(schema).flatMap(wordsFor))}${unitOf(path)}`
}

function wordsFor({ type, pipe, message, options = [], literal }: Node): readonly string[] {
  const own = [message, ...(pipe ?? []).map((step) => step.message)].find((text) => typeof text === 'string')
  if (own !== undefined) return [own]
  switch (type) {
    case 'number':
      return [numberOf(pipe ?? [])]
    case 'string':
      return ['a string']
    case 'boolean':
      return ['true or false']
    case 'literal':
      return [JSON.stringify(literal)]
    case 'picklist':
      return options.map((option) => JSON.stringify(option))
    case 'array':
      return ['an array of strings']
    case 'record':
      return ['an object of strings']
    default:
      return ['an object']
  }
}

function takesNumbers(schema: Node): boolean {
  return choicesOf(schema).some(
    ({ type, options = [] }) =>
      type === 'number' || (type === 'picklist' && options.every((option) => typeof option === 'number')),
  )
}

function numberOf(steps: readonly Node[]): string {
  const find = (type: string): unknown => steps.find((step) => step.type === type)?.requirement
  const kind = steps.some((step) => step.type === 'integer') ? 'an integer' : 'a number'
  return `${kind} from ${String(find('min_value'))} to ${String(find('max_value'))}`
}

/** The names of options end in their units. */
function unitOf(path: string): string {
  if (path.endsWith('Ms')) return ' milliseconds'
  if (path.endsWith('Micros')) return ' microseconds'
  if (path.endsWith('Bytes')) return ' bytes'
  return path.endsWith('Mb') ? ' MiB' : ''
}

function listOf(words: readonly string[]): string {
  const last = words.at(-1) ?? ''
  return words.length < 2 ? last : `${words.slice(0, -1).join(', ')} or ${last}`
}

/** Only ever a word of a schema: what was given may be a secret in the wrong place. */
function suggestion(schema: Node, value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined
  const words = choicesOf(schema).flatMap(({ type, options = [] }) => (type === 'picklist' ? options : []))
  const word = closest(
    value,
    words.filter((option) => typeof option === 'string'),
  )
  return word === undefined ? undefined : JSON.stringify(word)
}
