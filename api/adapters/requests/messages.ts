/** What goes over the wire: JSON-RPC 2.0, and how the Language Server Protocol cancels a request. */

export type Id = string | number

/** By position or by name, as JSON-RPC has it. */
export type Params = object

export interface Failure {
  readonly code: number
  readonly message: string
  readonly data?: unknown
}

export type Message =
  | { readonly kind: 'request'; readonly id: Id; readonly method: string; readonly params: Params | undefined }
  | { readonly kind: 'notification'; readonly method: string; readonly params: Params | undefined }
  | { readonly kind: 'cancel'; readonly id: Id }
  | { readonly kind: 'result'; readonly id: Id; readonly result: unknown }
  /** Without an id: the peer could not tell which request it was. */
  | { readonly kind: 'failure'; readonly id: Id | null; readonly failure: Failure }

export const failureCodes = {
  methodNotFound: -32_601,
  internal: -32_603,
  /** Of the range that is left to those who implement it. */
  handler: -32_000,
  cancelled: -32_800,
} as const

const VERSION = '2.0'
const CANCEL = '$/cancelRequest'

/** The JSON of a message. */
export function wireOf(message: Message): object {
  const jsonrpc = VERSION
  switch (message.kind) {
    case 'request':
      return { jsonrpc, id: message.id, method: message.method, params: message.params }
    case 'notification':
      return { jsonrpc, method: message.method, params: message.params }
    case 'cancel':
      return { jsonrpc, method: CANCEL, params: { id: message.id } }
    case 'result':
      // A member that is undefined would not be there, and no answer is without its result.
      return { jsonrpc, id: message.id, result: message.result === undefined ? null : message.result }
    case 'failure':
      return { jsonrpc, id: message.id, error: message.failure }
  }
}

/** Throws what is wrong with it. */
export function messageOf(value: unknown): Message {
  if (!isRecord(value)) throw new TypeError('a message is an object; batches are not taken')
  if (value['jsonrpc'] !== VERSION) throw new TypeError(`a message has "jsonrpc": "${VERSION}"`)
  const { id } = value
  if (Object.hasOwn(value, 'method')) return callOf(value, id)
  if (Object.hasOwn(value, 'error')) {
    if (id !== null && !isId(id)) throw new TypeError('an answer has the id of its request')
    return { kind: 'failure', id, failure: failureOf(value['error']) }
  }
  if (!isId(id)) throw new TypeError('an answer has the id of its request')
  if (!Object.hasOwn(value, 'result')) throw new TypeError('a message has a method, a result or an error')
  return { kind: 'result', id, result: value['result'] }
}

function callOf(value: Readonly<Record<string, unknown>>, id: unknown): Message {
  const { method, params } = value
  if (typeof method !== 'string') throw new TypeError('a method is a string')
  if (params !== undefined && (typeof params !== 'object' || params === null))
    throw new TypeError('params are an object or an array')
  if (method === CANCEL) {
    const cancelled = (params as { readonly id?: unknown } | undefined)?.id
    if (!isId(cancelled)) throw new TypeError('what is cancelled has the id of its request')
    return { kind: 'cancel', id: cancelled }
  }
  if (id === undefined) return { kind: 'notification', method, params }
  if (!isId(id)) throw new TypeError('an id is a string or a number')
  return { kind: 'request', id, method, params }
}

function failureOf(error: unknown): Failure {
  if (!isRecord(error) || typeof error['code'] !== 'number' || typeof error['message'] !== 'string')
    throw new TypeError('an error has a code and a message')
  return { code: error['code'], message: error['message'], data: error['data'] }
}

function isId(value: unknown): value is Id {
  return typeof value === 'string' || typeof value === 'number'
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
