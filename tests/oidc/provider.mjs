// A third party's OpenID provider, mounted where Microsoft's sign-in service is expected.
// node provider.mjs CLIENT_ID  ->  prints the port of 127.0.0.1 that it listens on; ends when stdin does.
import http from 'node:http'
import { Provider } from 'oidc-provider'

const PATH = '/common/v2.0'
const scopes = ['openid', 'profile', 'offline_access', 'Files.ReadWrite']
const provider = new Provider(`https://login.microsoftonline.com${PATH}`, {
  clients: [{
    client_id: process.argv[2],
    application_type: 'native',
    token_endpoint_auth_method: 'none',
    redirect_uris: ['http://localhost'],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
  }],
  scopes,
  claims: { profile: ['name', 'preferred_username'] },
  conformIdTokenClaims: false,
  findAccount: (_, id) => ({
    accountId: id,
    claims: async () => ({ sub: id, name: 'Third Party', preferred_username: `${id}@third.example` }),
  }),
  pkce: { required: () => true },
  issueRefreshToken: async () => true,
  rotateRefreshToken: true,
  features: { devInteractions: { enabled: true } },
})
provider.proxy = true
provider.on('server_error', (_, error) => console.error(error))
provider.on('grant.error', (_, error) => console.error(error))
provider.on('authorization.error', (_, error) => console.error(error))

const answer = provider.callback()
const server = http.createServer((request, response) => {
  request.originalUrl = request.url
  request.url = request.url.slice(PATH.length) || '/'
  answer(request, response)
})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
process.stdin.on('end', () => process.exit(0)).resume()
