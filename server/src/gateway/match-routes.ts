/** The routes, compiled once for each change: the first whose host, path and method fit answers. */
import type { GatewayRoute } from './route.ts'

export interface Called {
  readonly method: string
  /** Lower case, without a port. */
  readonly host: string
  /** Decoded, and free of everything that has two readings (see `readPath`). */
  readonly path: string
}

export type Misfit = 'host' | 'path' | 'method'

interface CompiledRoute {
  readonly route: GatewayRoute
  readonly fitsPath: (path: string) => boolean
  readonly methods: ReadonlySet<string> | undefined
}

export class RouteTable {
  readonly #byHost = new Map<string, CompiledRoute[]>()
  readonly #wildcards: boolean
  readonly #all: readonly CompiledRoute[]

  constructor(routes: readonly GatewayRoute[]) {
    this.#all = routes.map((route) => ({
      route,
      fitsPath: compilePath(route.path),
      methods: route.methods.length > 0 ? new Set(route.methods) : undefined,
    }))
    this.#wildcards = routes.some(({ host }) => host.startsWith('*.'))
    for (const { host } of routes)
      if (!this.#byHost.has(host))
        this.#byHost.set(
          host,
          this.#all.filter(({ route }) => fitsHost(route.host, host)),
        )
  }

  get size(): number {
    return this.#all.length
  }

  match({ method, host, path }: Called): GatewayRoute | undefined {
    for (const { route, fitsPath, methods } of this.#of(host))
      if ((methods === undefined || methods.has(method)) && fitsPath(path)) return route
    return undefined
  }

  /** Each route up to the one that answers, and what did not fit. */
  explain(called: Called): { route: GatewayRoute; misfit: Misfit | null }[] {
    const tried: { route: GatewayRoute; misfit: Misfit | null }[] = []
    for (const { route, fitsPath, methods } of this.#all) {
      const misfit = !fitsHost(route.host, called.host)
        ? 'host'
        : !fitsPath(called.path)
          ? 'path'
          : methods === undefined || methods.has(called.method)
            ? null
            : 'method'
      tried.push({ route, misfit })
      if (misfit === null) break
    }
    return tried
  }

  #of(host: string): readonly CompiledRoute[] {
    const known = this.#byHost.get(host)
    if (known || !this.#wildcards) return known ?? []
    // Hosts below one label that no route names itself share what is kept for the wildcard.
    return this.#byHost.get(`*${host.slice(host.indexOf('.'))}`) ?? []
  }
}

function fitsHost(pattern: string, host: string): boolean {
  if (pattern === host) return true
  if (!pattern.startsWith('*.')) return false
  return !host.startsWith('*.') && host.indexOf('.') > 0 && host.slice(host.indexOf('.')) === pattern.slice(1)
}

/** Linear in the path whatever the pattern: no star can give back what it took. */
function compilePath(pattern: string): (path: string) => boolean {
  if (!pattern.includes('*')) {
    if (pattern.endsWith('/')) {
      const exact = pattern.slice(0, -1)
      return (path) => path.startsWith(pattern) || (exact !== '' && path === exact)
    }
    const below = `${pattern}/`
    return (path) => path === pattern || path.startsWith(below)
  }
  const wanted = pattern.slice(1).split('/')
  const open = wanted.at(-1) === '**'
  if (open) wanted.pop()
  return (path) => {
    const segments = path.slice(1).split('/')
    if (open ? segments.length < wanted.length : segments.length !== wanted.length) return false
    return wanted.every((word, index) => (word === '*' ? segments[index] !== '' : word === segments[index]))
  }
}
