// An OpenID provider on loopback, of a certified library: whoever signs in as NAME is of the group NAME.
// Arguments: what the client is known by, and where it may have people led back to. Prints its issuer.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [secret, redirect] = process.argv.slice(2);
const library = createRequire(`${process.cwd()}/`).resolve('oidc-provider');
const { Provider } = await import(pathToFileURL(library));
const server = createServer().listen(0, '127.0.0.1', () => {
    const issuer = `http://localhost:${server.address().port}`;
    const provider = new Provider(issuer, {
        clients: [{ client_id: 'listwarden', client_secret: secret, redirect_uris: [redirect] }],
        claims: { openid: ['sub', 'groups'] },
        conformIdTokenClaims: false,
        findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, groups: [id] }) }),
    });
    server.on('request', provider.callback());
    console.log(issuer);
});
