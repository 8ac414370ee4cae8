/** The module that is to serve connections in the shards. */
import { isAbsolute } from 'node:path'
import { pathToFileURL } from 'node:url'
import { invalidOption, readHandlerOptions } from '../engine/common/call-options.js'
import type { HandlerModuleSettings } from '../engine/handling/handler-module-settings.js'
import type { ListenOptions } from '../engine/listening/listener.js'

const SETUP_TIMEOUT_MS = 10_000
const TEARDOWN_TIMEOUT_MS = 5_000
/** Characters of why `data` cannot be cloned: that may quote all the text of a function or a class. */
const LONGEST_REASON = 200

interface ReadOptions extends ListenOptions {
  readonly module: HandlerModuleSettings
}

/** `where`: the call that got them. @throws {TransportError} ERR_INVALID_OPTION */
export function readModuleOptions(options: unknown, where: 'listen()' | 'connect()'): ReadOptions {
  const { handler, data, host = {}, onLog, ...others } = readHandlerOptions(options, where)
  const { setupTimeoutMs = SETUP_TIMEOUT_MS, teardownTimeoutMs = TEARDOWN_TIMEOUT_MS, ...call } = others
  const limits = { setupTimeoutMs, teardownTimeoutMs }
  const module = {
    moduleUrl: urlOf(handler, where),
    data: cloneOf(data, where),
    ...limits,
    onLog,
    host: functionsOf(host, where),
  }
  return { ...call, module }
}

/** A thread would look for anything relative beside the package's own modules. */
function urlOf(handler: URL | string, where: string): string {
  if (typeof handler === 'string' && isAbsolute(handler)) return pathToFileURL(handler).href
  const text = String(handler)
  if (URL.canParse(text)) {
    const { protocol, href } = new URL(text)
    if (protocol === 'file:' || protocol === 'data:') return href
  }
  throw invalidOption(
    where,
    'handler',
    "it must be a file URL or an absolute path: new URL('./serve.js', import.meta.url)",
  )
}

function cloneOf(data: unknown, where: string): unknown {
  try {
    return structuredClone(data)
  } catch (error) {
    const text = error instanceof Error ? error.message.replace(/\.$/, '') : 'it cannot be cloned'
    const why = text.length > LONGEST_REASON ? `${text.slice(0, LONGEST_REASON)}…` : text
    throw invalidOption(where, 'data', `each shard gets a copy of it, and ${why}`, error)
  }
}

/** Read once: shards that come back later offer the same, and a getter that fails is told of here. */
function functionsOf(host: object, where: string): object {
  try {
    const functions = Object.entries(host).filter((entry): entry is [string, AnyFunction] => isFunction(entry[1]))
    return Object.fromEntries(
      functions.map(([name, call]) => [name, (...args: unknown[]): unknown => Reflect.apply(call, host, args)]),
    )
  } catch (error) {
    throw invalidOption(where, 'host', 'reading its functions failed; the cause says why', error)
  }
}

type AnyFunction = (...args: unknown[]) => unknown

function isFunction(value: unknown): value is AnyFunction {
  return typeof value === 'function'
}
