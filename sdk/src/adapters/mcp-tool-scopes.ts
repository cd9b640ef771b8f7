/** Which scopes the tools need that a message calls. */
import { denial, type Denial } from '../denial.ts'
import type { Principal } from '../principal.ts'
import { parseScopes, type Scopes } from './guard-options.ts'

export type ToolScopes = ReadonlyMap<string, readonly string[]>

/** Throws a TypeError for scopes that no credential can hold. */
export function parseToolScopes(tools: Readonly<Record<string, Scopes>> = {}): ToolScopes {
  return new Map(Object.entries(tools).map(([tool, scopes]) => [tool, parseScopes(scopes)]))
}

/**
 * `insufficient_scope` when the caller lacks one, with what it holds and what it lacks: clients ask for exactly the scopes of
 * the challenge, and would lose those that are not named.
 */
export function missingToolScopes(
  tools: ToolScopes,
  principal: Principal,
  message: unknown,
): Denial | undefined {
  const missing = toolsCalled(message)
    .flatMap((tool) => tools.get(tool) ?? [])
    .filter((scope) => !principal.scopes.includes(scope))
  if (missing.length === 0) return undefined
  return denial('insufficient_scope', { scopes: [...new Set([...principal.scopes, ...missing])] })
}

/** A batch (which MCP had for a while) may call several. */
function toolsCalled(message: unknown): string[] {
  return (Array.isArray(message) ? message : [message]).flatMap((one: unknown) => {
    const { method, params } = (one ?? {}) as { method?: unknown; params?: { name?: unknown } | null }
    const name = method === 'tools/call' ? params?.name : undefined
    return typeof name === 'string' ? [name] : []
  })
}
