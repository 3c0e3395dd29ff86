//! A pooler by transaction: one session of the server, lent to every client for as long as its
//! transaction takes. The first client's login is the session's; the others are let in as they are.

use std::{io, sync::Arc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Mutex,
};

/// The session, once the first client has logged in.
#[derive(Default)]
struct Shared {
    server: Option<TcpStream>,
    /// What the server said between its consent to the login and its first question for a query.
    greeting: Vec<u8>,
}

/// Starts one in front of the server of `url`. Gives the url of the same database through it.
pub(crate) async fn in_front_of(url: &str) -> String {
    let (head, rest) = url.split_once('@').expect("an address names its role");
    let (server, database) = rest.split_once('/').expect("an address ends in its database's name");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let here = listener.local_addr().expect("it is bound");
    let (server, shared) = (server.to_owned(), Arc::new(Mutex::new(Shared::default())));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(serve(client, server.clone(), shared.clone()));
        }
    });
    format!("{head}@{here}/{database}")
}

async fn serve(mut client: TcpStream, server: String, shared: Arc<Mutex<Shared>>) -> io::Result<()> {
    let length = client.read_u32().await?;
    let mut startup = length.to_be_bytes().to_vec();
    startup.resize(length as usize, 0);
    client.read_exact(&mut startup[4..]).await?;
    let mut session = shared.lock().await;
    match session.server {
        None => log_in(&mut client, &server, &startup, &mut session).await?,
        Some(_) => {
            // AuthenticationOk.
            client.write_all(&[b'R', 0, 0, 0, 8, 0, 0, 0, 0]).await?;
            client.write_all(&session.greeting).await?;
        }
    }
    drop(session);
    loop {
        let first = message(&mut client).await?;
        let mut session = shared.lock().await;
        let server = session.server.as_mut().expect("somebody has logged in");
        if transact(&mut client, server, first).await?.is_none() {
            return Ok(());
        }
    }
}

/// Carries one transaction; `None` when the client has said goodbye.
async fn transact(client: &mut TcpStream, server: &mut TcpStream, first: Vec<u8>) -> io::Result<Option<()>> {
    let mut next = Some(first);
    loop {
        // Query or Sync: the server answers, and says how the transaction stands.
        loop {
            let asked = match next.take() {
                Some(asked) => asked,
                None => message(client).await?,
            };
            if asked[0] == b'X' {
                return Ok(None);
            }
            server.write_all(&asked).await?;
            if matches!(asked[0], b'Q' | b'S') {
                break;
            }
        }
        loop {
            let answer = message(server).await?;
            client.write_all(&answer).await?;
            match (answer[0], answer.last()) {
                (b'Z', Some(b'I')) => return Ok(Some(())),
                (b'Z', _) => break,
                _ => {}
            }
        }
    }
}

async fn log_in(
    client: &mut TcpStream,
    address: &str,
    startup: &[u8],
    session: &mut Shared,
) -> io::Result<()> {
    let mut server = TcpStream::connect(address).await?;
    server.write_all(startup).await?;
    let mut is_in = false;
    loop {
        let said = message(&mut server).await?;
        client.write_all(&said).await?;
        if is_in {
            session.greeting.extend_from_slice(&said);
        }
        match (said[0], said.get(5..9)) {
            (b'Z', _) => break,
            (b'R', Some([0, 0, 0, 0])) => is_in = true,
            // The last word of SCRAM asks for nothing.
            (b'R', Some([0, 0, 0, 12])) => {}
            (b'R', _) => server.write_all(&message(client).await?).await?,
            (b'E', _) => return Err(io::ErrorKind::PermissionDenied.into()),
            _ => {}
        }
    }
    session.server = Some(server);
    Ok(())
}

/// One message, with its kind and length.
async fn message(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut message = vec![0; 5];
    stream.read_exact(&mut message).await?;
    let length = u32::from_be_bytes([message[1], message[2], message[3], message[4]]);
    message.resize(length as usize + 1, 0);
    stream.read_exact(&mut message[5..]).await?;
    Ok(message)
}
