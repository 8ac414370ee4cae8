/** What the operating system says that this process has; the fault campaign counts the same. */
export { canCountResources, processResources, type ProcessResources } from '../../perf/harness/resource-counts.js'
