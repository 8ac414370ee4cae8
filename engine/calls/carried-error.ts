/** Errors as they cross from one thread to another: structured clone and Comlink drop their codes. */
import { types } from 'node:util'
import { errorCodes, TransportError, type TransportErrorCode } from '../protocol/errors.js'

const builtIn = { EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError, Error } as const

type BuiltIn = keyof typeof builtIn

export interface CarriedError {
  /** What it arrives as: a class of the other thread is not there in this one. */
  readonly type:
    | { readonly kind: 'transport'; readonly code: TransportErrorCode; readonly endpoint: string | undefined }
    | { readonly kind: 'aggregate'; readonly errors: readonly Carried[] }
    | { readonly kind: 'built-in'; readonly name: BuiltIn }
  readonly name: string
  readonly message: string
  readonly code: string | number | undefined
  readonly stack: string | undefined
  /** Undefined: it has none. */
  readonly cause: Carried | undefined
}

/** Something that was thrown: an error, a value that can be copied, or what cannot be. */
export type Carried =
  | { readonly kind: 'error'; readonly error: CarriedError }
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'lost' }

/** Causes of causes: more are left out. */
const DEEPEST = 8

/** Of one failure, with all causes and errors of an AggregateError; more are left out. */
const MOST = 64

/** Takes along name, message, code, stack, causes, and the errors of an AggregateError; no other property. */
export function carry(thrown: unknown): Carried {
  let room = MOST
  const carryAt = (value: unknown, depth: number): Carried => {
    if (depth > DEEPEST || room === 0) return { kind: 'lost' }
    room--
    try {
      if (isError(value)) return { kind: 'error', error: carryError(value, (inner) => carryAt(inner, depth + 1)) }
      return { kind: 'value', value: structuredClone(value) }
    } catch {
      return { kind: 'lost' }
    }
  }
  return carryAt(thrown, 0)
}

function isError(value: unknown): value is Error {
  return value instanceof Error || types.isNativeError(value)
}

function carryError(error: Error, inner: (value: unknown) => Carried): CarriedError {
  const code = read(error, 'code')
  const cause = read(error, 'cause')
  return {
    type: typeOf(error, inner),
    name: textOf(error, 'name') ?? 'Error',
    message: textOf(error, 'message') ?? '',
    code: typeof code === 'string' || typeof code === 'number' ? code : undefined,
    stack: textOf(error, 'stack'),
    cause: cause === undefined ? undefined : inner(cause),
  }
}

function typeOf(error: Error, inner: (value: unknown) => Carried): CarriedError['type'] {
  if (error instanceof TransportError && Object.hasOwn(errorCodes, error.code))
    return { kind: 'transport', code: error.code, endpoint: textOf(error, 'endpoint') }
  if (error instanceof AggregateError) {
    const errors = read(error, 'errors')
    return { kind: 'aggregate', errors: Array.isArray(errors) ? errors.slice(0, MOST).map(inner) : [] }
  }
  const names = Object.keys(builtIn) as BuiltIn[]
  return { kind: 'built-in', name: names.find((name) => error instanceof builtIn[name]) ?? 'Error' }
}

/** A getter of the thrower's may throw: what it hides is left out, and the rest arrives. */
function read(error: Error, key: string): unknown {
  try {
    return Reflect.get(error, key)
  } catch {
    return undefined
  }
}

function textOf(error: Error, key: string): string | undefined {
  const value = read(error, key)
  return typeof value === 'string' ? value : undefined
}

/** The error as it was, as far as this thread has its class. */
function reviveError({ type, name, message, code, stack, cause: carriedCause }: CarriedError): Error {
  const cause = carriedCause === undefined ? undefined : revive(carriedCause)
  const options = cause === undefined ? undefined : { cause }
  const error =
    type.kind === 'transport'
      ? new TransportError(type.code, message, { cause, endpoint: type.endpoint })
      : type.kind === 'aggregate'
        ? new AggregateError(type.errors.filter(({ kind }) => kind !== 'lost').map(revive), message, options)
        : new builtIn[type.name](message, options)
  if (error.name !== name) define(error, 'name', name)
  if (type.kind !== 'transport' && code !== undefined) Object.assign(error, { code })
  define(error, 'stack', stack ?? `${name}: ${message}`)
  return error
}

/** Undefined: it was left out. */
export function revive(carried: Carried): unknown {
  switch (carried.kind) {
    case 'error':
      return reviveError(carried.error)
    case 'value':
      return carried.value
    case 'lost':
      return undefined
  }
}

/** As JavaScript has `name` and `stack`: not among the keys. */
export function define(error: Error, key: 'name' | 'stack', value: string): void {
  Object.defineProperty(error, key, { value, writable: true, configurable: true, enumerable: false })
}
