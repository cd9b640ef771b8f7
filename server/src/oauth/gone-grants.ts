/** Grants that OAuth 2.1 has taken away: whoever still asks for one is told what stands in its place. */
import type { KoaContextWithOIDC, Provider } from 'oidc-provider'

const REPLACEMENTS: Readonly<Record<string, string>> = {
  password:
    'the password grant is gone (OAuth 2.1): send the user to the authorization endpoint, with PKCE, and a device through the device flow',
  implicit: 'the implicit grant is gone (OAuth 2.1): use the authorization code grant with PKCE',
}

export function nameReplacements(provider: Provider): void {
  provider.use(async (koaContext, next) => {
    await next()
    const ctx = koaContext as unknown as KoaContextWithOIDC
    const refused = ctx.body as { error?: string; error_description?: string } | undefined
    if (refused?.error !== 'unsupported_grant_type') return
    const replacement = REPLACEMENTS[String(ctx.oidc.params?.['grant_type'])]
    if (replacement !== undefined) ctx.body = { ...refused, error_description: replacement }
  })
}
