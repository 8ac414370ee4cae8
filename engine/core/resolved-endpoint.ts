import type { ChildSettings } from '../process/child.js'
import type { TransportTarget } from '../protocol/target.js'

/** An endpoint after the API layer has read it: what it means on this machine. */
export interface ResolvedEndpoint {
  readonly kind: string
  /** As text, the way it is shown in errors and in `info`. */
  readonly text: string
  readonly route: Route
}

/** What a shard dials or listens on, or what has to be started first. */
type Route =
  | { readonly via: 'target'; readonly target: TransportTarget }
  | { readonly via: 'child'; readonly child: ChildSettings }
  | { readonly via: 'process-stdio' }

/** Whether one side can end while the other goes on. Named pipes cannot. */
export function hasHalfClose({ route }: ResolvedEndpoint): boolean {
  return route.via !== 'target' || route.target.kind !== 'pipe'
}
