/** All problems of what a caller has given, for one error that quotes none of it. */
import { closest } from './closest.js'
import { describe, isObject } from './describe.js'
import { TransportError } from '../protocol/errors.js'

/** How much of an unknown key is shown. */
const LONGEST_KEY = 64

export class Problems {
  readonly #list: string[] = []
  /** What a getter or a proxy has thrown. */
  #cause: unknown

  get isEmpty(): boolean {
    return this.#list.length === 0
  }

  get cause(): unknown {
    return this.#cause
  }

  add(problem: string): void {
    this.#list.push(problem)
  }

  /** `got`: the value in words. */
  wrong(path: string, expected: string, got: string, suggestion?: string): void {
    const hint = suggestion === undefined ? '' : `; did you mean ${suggestion}?`
    this.add(`${path}: expected ${expected}, got ${got}${hint}`)
  }

  /** `what`: how messages call a key. */
  unknown(what: 'option' | 'key', path: string, key: string, known: readonly string[]): void {
    const shown = key.length > LONGEST_KEY ? `${key.slice(0, LONGEST_KEY)}…` : key
    const other = closest(key, known)
    const hint = other === undefined ? '' : `; did you mean ${JSON.stringify(`${path}${other}`)}?`
    this.add(`unknown ${what} ${JSON.stringify(`${path}${shown}`)}${hint}`)
  }

  /** Runs code of the caller's, a getter or a trap of a proxy, which may throw; undefined then. */
  read<T>(path: string, step: () => T): T | undefined {
    try {
      return step()
    } catch (cause) {
      this.#cause ??= cause
      this.add(`${path}: reading it failed`)
      return undefined
    }
  }

  /** One line for one problem, a list for several. */
  toString(): string {
    const list = this.#list
    return list.length === 1 ? String(list[0]) : `${String(list.length)} problems\n- ${list.join('\n- ')}`
  }

  /** Of options: `where` is the call that got them. */
  toError(where: string): TransportError {
    const text = this.toString()
    const end = this.#list.length > 1 ? '\n' : text.endsWith('?') ? ' ' : '. '
    return new TransportError(
      'ERR_INVALID_OPTION',
      `${where}: ${text}${end}See docs/options.md for names, units and ranges.`,
      { cause: this.#cause },
    )
  }
}

/** For each option a function that says what is expected, if the value is not that. Undefined is never checked. */
export type Checks = Readonly<Record<string, (value: unknown) => string | undefined>>

/** Checks by hand: a schema would cost more than the calls that take these options. */
export function checkOptions(given: unknown, checks: Checks, where: string): TransportError | undefined {
  const { problems } = readAll(given, checks)
  return problems.isEmpty ? undefined : problems.toError(where)
}

/** Checks what it reads, since a getter may change its mind. @throws {TransportError} ERR_INVALID_OPTION */
export function readOptions<Options extends object>(
  given: unknown,
  checks: Checks & Readonly<Record<keyof Options, unknown>>,
  where: string,
): Options {
  const { problems, values } = readAll(given, checks)
  if (!problems.isEmpty) throw problems.toError(where)
  return values as Options
}

function readAll(
  given: unknown,
  checks: Checks,
): { readonly problems: Problems; readonly values: Readonly<Record<string, unknown>> } {
  const problems = new Problems()
  const values: Record<string, unknown> = {}
  if (isObject(given)) {
    const known = Object.keys(checks)
    for (const key of problems.read('options', () => Object.keys(given)) ?? [])
      if (!known.includes(key)) problems.unknown('option', '', key, known)
    for (const [key, check] of Object.entries(checks)) {
      const value = problems.read(key, () => given[key])
      const expected = value === undefined ? undefined : problems.read(key, () => check(value))
      if (expected !== undefined) problems.wrong(key, expected, describe(value))
      values[key] = value
    }
  } else {
    problems.wrong('options', 'an object', describe(given))
  }
  return { problems, values }
}
