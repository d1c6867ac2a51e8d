use crate::postgres::{Cluster, ClusterOptions, Server};
use sqlx::{Connection as _, PgConnection};
use std::{path::Path, time::Duration};

async fn number(url: &str, question: &'static str) -> i64 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query_scalar(question).fetch_one(&mut connection).await.unwrap()
}

async fn connect(cluster: &Cluster) -> Result<PgConnection, sqlx::Error> {
    PgConnection::connect(&cluster.url("postgres")).await
}

#[tokio::test]
async fn a_killed_cluster_comes_back_with_what_it_committed_and_goes_for_good() {
    let options = ClusterOptions { settings: vec![("log_statement", "all".into())] };
    let cluster = Cluster::with(options).await;
    let url = cluster.database_make().await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    sqlx::query("CREATE TABLE things AS SELECT 7::BIGINT AS thing").execute(&mut connection).await.unwrap();
    cluster.kill9();
    assert!(connection.ping().await.is_err() && connect(&cluster).await.is_err());
    cluster.start_again().await;
    assert_eq!(number(&url, "SELECT thing FROM things").await, 7);
    assert!(cluster.log().contains("was not properly shut down") && cluster.log().contains("CREATE TABLE things"));
    cluster.stop();
    assert!(connect(&cluster).await.is_err());
    cluster.start_again().await;
    let (port, directory) = (cluster.port(), cluster.directory());
    assert!(Path::new(&directory).exists());
    drop(cluster);
    assert!(!Path::new(&directory).exists());
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[tokio::test]
async fn a_standby_follows_holds_commits_back_and_takes_over() {
    let primary = Cluster::start().await;
    let standby = Cluster::standby_of(&primary, "second").await;
    primary.set("synchronous_standby_names", "second").await;
    primary.run("postgres", "CREATE TABLE things AS SELECT 7::BIGINT AS thing").await;
    primary.set("synchronous_commit", "remote_apply").await;
    primary.run("postgres", "INSERT INTO things VALUES (8)").await;
    assert_eq!(number(&standby.url("postgres"), "SELECT count(*) FROM things").await, 2);

    standby.pause();
    let url = primary.url("postgres");
    let waiting = tokio::spawn(async move {
        let mut connection = PgConnection::connect(&url).await.unwrap();
        sqlx::query("INSERT INTO things VALUES (9)").execute(&mut connection).await.map(drop)
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!waiting.is_finished(), "a commit waits for a frozen standby");
    standby.resume();
    waiting.await.unwrap().unwrap();

    primary.kill9();
    standby.promote().await;
    standby.run("postgres", "INSERT INTO things VALUES (10)").await;
    assert_eq!(number(&standby.url("postgres"), "SELECT count(*) FROM things").await, 4);
}

#[tokio::test]
async fn tests_share_a_server_and_have_databases_of_their_own() {
    let server = Server::shared().await;
    let (one, two) = (server.database_make().await, server.database_make().await);
    assert_ne!(one, two);
    assert_eq!(number(&one, "SELECT 1::BIGINT").await, number(&two, "SELECT 1::BIGINT").await);
    for url in [one, two] {
        server.database_drop(&url).await;
        assert!(PgConnection::connect(&url).await.is_err());
    }
}
