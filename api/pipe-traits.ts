/** In what named pipes differ from all other endpoints. */
import type { ResolvedEndpoint } from './endpoint.js'

/** Named pipes have none. */
export function hasHalfClose({ route }: ResolvedEndpoint): boolean {
  return route.via !== 'target' || route.target.kind !== 'pipe'
}

/**
 * A named pipe belongs to whoever created its first instance: one shard accepts. See docs/decisions/pipe-listening.md.
 */
export function listensOnOneShard({ route }: ResolvedEndpoint): boolean {
  return route.via === 'target' && route.target.kind === 'pipe'
}
