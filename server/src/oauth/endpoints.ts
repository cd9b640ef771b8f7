/** Where the OAuth endpoints are. Known without the engine, which is loaded only when one of them is called. */

export const ROUTES = {
  authorization: '/authorize',
  token: '/token',
  userinfo: '/userinfo',
  jwks: '/jwks',
  introspection: '/introspect',
  revocation: '/revoke',
  device_authorization: '/device/authorize',
  code_verification: '/device',
  pushed_authorization_request: '/par',
  end_session: '/session/end',
  registration: '/register',
} as const

/** Where the issuer has a path, everything is under it. */
export function basePath(issuer: string): string {
  return new URL(issuer).pathname.replace(/\/$/, '')
}
