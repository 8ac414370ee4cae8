/** The module that is to serve a listener's connections in the shards. */
import { isAbsolute } from 'node:path'
import { pathToFileURL } from 'node:url'
import { invalidOption } from '../engine/common/call-options.js'
import type { HandlerModuleSettings } from '../engine/listening/module-listener.js'
import type { HandlerListenOptions, ListenOptions } from '../engine/listening/listener.js'

type Given = Omit<HandlerListenOptions, keyof ListenOptions>

const SETUP_TIMEOUT_MS = 10_000
const TEARDOWN_TIMEOUT_MS = 5_000
/** Characters of why `data` cannot be cloned: that may quote all the text of a function or a class. */
const LONGEST_REASON = 200

/** @throws {TransportError} ERR_INVALID_OPTION */
export function readHandlerModule(given: Given): HandlerModuleSettings {
  const { handler, data, host = {}, onLog } = given
  const { setupTimeoutMs = SETUP_TIMEOUT_MS, teardownTimeoutMs = TEARDOWN_TIMEOUT_MS } = given
  return {
    moduleUrl: urlOf(handler),
    data: cloneOf(data),
    setupTimeoutMs,
    teardownTimeoutMs,
    onLog,
    host: functionsOf(host),
  }
}

/** A thread would look for anything relative beside the package's own modules. */
function urlOf(handler: URL | string): string {
  if (typeof handler === 'string' && isAbsolute(handler)) return pathToFileURL(handler).href
  const text = String(handler)
  if (URL.canParse(text)) {
    const { protocol, href } = new URL(text)
    if (protocol === 'file:' || protocol === 'data:') return href
  }
  throw invalidOption(
    'listen()',
    'handler',
    "it must be a file URL or an absolute path: new URL('./serve.js', import.meta.url)",
  )
}

function cloneOf(data: unknown): unknown {
  try {
    return structuredClone(data)
  } catch (error) {
    const text = error instanceof Error ? error.message.replace(/\.$/, '') : 'it cannot be cloned'
    const why = text.length > LONGEST_REASON ? `${text.slice(0, LONGEST_REASON)}…` : text
    throw invalidOption('listen()', 'data', `each shard gets a copy of it, and ${why}`, error)
  }
}

/** Read once: shards that come back later offer the same, and a getter that fails is told of here. */
function functionsOf(host: object): object {
  try {
    const functions = Object.entries(host).filter((entry): entry is [string, AnyFunction] => isFunction(entry[1]))
    return Object.fromEntries(
      functions.map(([name, call]) => [name, (...args: unknown[]): unknown => Reflect.apply(call, host, args)]),
    )
  } catch (error) {
    throw invalidOption('listen()', 'host', 'reading its functions failed; the cause says why', error)
  }
}

type AnyFunction = (...args: unknown[]) => unknown

function isFunction(value: unknown): value is AnyFunction {
  return typeof value === 'function'
}
