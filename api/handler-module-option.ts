/** The module that is to serve a listener's connections in the shards. */
import { isAbsolute } from 'node:path'
import { pathToFileURL } from 'node:url'
import { invalidOption } from '../engine/common/call-options.js'
import type { HandlerModuleSettings } from '../engine/listening/module-listener.js'
import type { HandlerListenOptions, ListenOptions } from '../engine/listening/listener.js'

type Given = Omit<HandlerListenOptions, keyof ListenOptions>

const SETUP_TIMEOUT_MS = 10_000
const TEARDOWN_TIMEOUT_MS = 5_000

/** @throws {TransportError} ERR_INVALID_OPTION */
export function readHandlerModule(given: Given): HandlerModuleSettings {
  const { handler, data, host = {}, onLog } = given
  const { setupTimeoutMs = SETUP_TIMEOUT_MS, teardownTimeoutMs = TEARDOWN_TIMEOUT_MS } = given
  return { moduleUrl: urlOf(handler), data: cloneOf(data), setupTimeoutMs, teardownTimeoutMs, onLog, host }
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
    const why = error instanceof Error ? error.message : 'it cannot be cloned'
    throw invalidOption('listen()', 'data', `each shard gets a copy of it, and ${why}`)
  }
}
