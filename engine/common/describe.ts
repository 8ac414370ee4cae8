/** Values of a caller's in messages, events and traces: what kind they are, and nothing that could be a secret. */
import { types } from 'node:util'
import { TransportError } from '../protocol/errors.js'

/** Something with keys: neither null, nor an array, nor a Map or another object that holds what it holds elsewhere. */
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

/**
 * Of an object that holds nothing under its keys; undefined: it is a record, or an instance of a class that is as good
 * as one.
 */
function otherKind(value: object): string | undefined {
  try {
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype === Object.prototype || prototype === null) return undefined
    return otherKinds.find(([test]) => test(value))?.[1]
  } catch {
    // A proxy of the caller's: what is read of it next says so.
    return undefined
  }
}

/** A proxy that was revoked throws where it is asked. */
export function isArray(value: unknown): value is readonly unknown[] {
  try {
    return Array.isArray(value)
  } catch {
    return false
  }
}

/** A value in a message: its kind, and of it only what cannot be a secret. */
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

/** As `describe()`, where even a number may be a secret: one that stands where text belongs. */
export function kindOf(value: unknown): string {
  return typeof value === 'number' || typeof value === 'boolean' ? `a ${typeof value}` : describe(value)
}

/** An error in a trace or a warning: its kind. Its message may quote what a host has sent or received. */
export function nameOf(error: unknown): string {
  if (error instanceof TransportError) return error.code
  if (!(error instanceof Error)) return `${describe(error)} that was thrown`
  const { code } = error as { readonly code?: unknown }
  return typeof code === 'string' ? `${error.name} ${code}` : error.name
}
