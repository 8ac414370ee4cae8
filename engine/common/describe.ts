/** Describes a caller's values in messages, events and traces: their kind, and nothing that could be a secret. */
import { types } from 'node:util'
import { TransportError } from '../protocol/errors.js'

const LONGEST_DATA_URL = 80

/** An object with keys: not null, an array, a Map, or another object whose content is not under its keys. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !isArray(value) && otherKind(value) === undefined
}

const otherKinds: readonly (readonly [test: (value: unknown) => boolean, kind: string])[] = [
  [types.isMap, 'a Map'],
  [types.isSet, 'a Set'],
  [types.isDate, 'a Date'],
  [types.isRegExp, 'a RegExp'],
  [types.isPromise, 'a promise'],
  [types.isNativeError, 'an error'],
  [types.isAnyArrayBuffer, 'a buffer'],
  [types.isBoxedPrimitive, 'a boxed value'],
  [(value) => types.isWeakMap(value) || types.isWeakSet(value), 'a weak collection'],
  [(value) => value instanceof URL, 'a URL'],
  [(value) => typeof (value as Iterable<unknown>)[Symbol.iterator] === 'function', 'something iterable'],
]

/** The kind of an object whose content is not under its keys; undefined: it is a record or an instance of a class. */
function otherKind(value: object): string | undefined {
  try {
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype === Object.prototype || prototype === null) return undefined
    return otherKinds.find(([test]) => test(value))?.[1]
  } catch {
    // It is a proxy that throws. Reading its keys fails next, and is reported.
    return undefined
  }
}

/** Array.isArray() throws for a revoked proxy. */
export function isArray(value: unknown): value is readonly unknown[] {
  try {
    return Array.isArray(value)
  } catch {
    return false
  }
}

/** A value in a message: its kind, or the value itself where it cannot be a secret. */
export function describe(value: unknown): string {
  switch (typeof value) {
    case 'undefined':
      return 'nothing'
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value)
    case 'boolean':
      return String(value)
    case 'string':
      return value === '' ? 'an empty string' : 'a string'
    case 'object':
      if (value === null) return 'null'
      return isArray(value) ? 'an array' : (otherKind(value) ?? 'an object')
    default:
      return `a ${typeof value}`
  }
}

/** As `describe()`, without numbers: one that stands where text belongs may be a secret. */
export function kindOf(value: unknown): string {
  return typeof value === 'number' || typeof value === 'boolean' ? `a ${typeof value}` : describe(value)
}

/** The URL of code in a message: one that is the code itself would be all of it. */
export function shortUrl(url: string): string {
  return url.length > LONGEST_DATA_URL && url.startsWith('data:') ? `${url.slice(0, LONGEST_DATA_URL)}…` : url
}

/** An error in a trace or a warning, without its message, which may quote what a host has sent or received. */
export function nameOf(error: unknown): string {
  if (error instanceof TransportError) return error.code
  if (!(error instanceof Error)) return `${describe(error)} that was thrown`
  const { code } = error as { readonly code?: unknown }
  return typeof code === 'string' ? `${error.name} ${code}` : error.name
}
