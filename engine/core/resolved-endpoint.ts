import type { ChildSettings } from '../process/child.js'
import { transportTraits, type ListenTarget, type TransportTraits } from '../protocol/target.js'

/** An endpoint after the API layer has read it: what it means on this machine. */
export interface ResolvedEndpoint {
  readonly kind: string
  /** As text, the way it is shown in errors and in `info`. */
  readonly text: string
  readonly route: Route
}

/** What a shard dials or listens on, or what has to be started first. */
type Route =
  | { readonly via: 'target'; readonly target: ListenTarget }
  | { readonly via: 'child'; readonly child: ChildSettings }
  | { readonly via: 'process-stdio' }

/** What its kind of transport can do. */
export function traitsOf({ route }: ResolvedEndpoint): TransportTraits {
  if (route.via === 'target') return transportTraits[route.target.kind]
  return transportTraits[route.via === 'child' ? 'child-stdio' : 'process-stdio']
}

/** What an endpoint is that no shard can dial or listen on by itself. */
export function nameOfRoute(via: 'child' | 'process-stdio'): string {
  return via === 'child' ? 'a child process' : "this process's own stdin and stdout"
}
