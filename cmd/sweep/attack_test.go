package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/topksweep/sweep/sweep/protocol"
)

// asNeighbour in the environment makes the test binary a hostile program of another user of the machine. Its value is a
// sweep, and its arguments are files, and ports as :PORT.
const asNeighbour = "SWEEP_TEST_AS_NEIGHBOUR"

// attack tries to get something out of files and ports, and prints what it got.
func attack(sweep string, targets []string) {
	for _, target := range targets {
		port, isPort := strings.CutPrefix(target, ":")
		if !isPort {
			attackFile(target)
			continue
		}
		address := net.JoinHostPort("127.0.0.1", port)
		attackHTTP(address)
		anybody := &tls.Config{InsecureSkipVerify: true}
		forged := &tls.Config{InsecureSkipVerify: true, Certificates: ownCertificate()}
		for how, c := range map[string]credentials.TransportCredentials{
			"plaintext":                 insecure.NewCredentials(),
			"TLS without a certificate": credentials.NewTLS(anybody),
			"TLS with one of its own":   credentials.NewTLS(forged),
		} {
			attackGRPC(address, how, c, sweep)
		}
	}
	fmt.Println("tried", len(targets))
}

func attackFile(name string) {
	if f, err := os.Open(name); err == nil {
		defer f.Close()
		if n, err := f.Read(make([]byte, 1)); n > 0 || err == nil {
			fmt.Println("read", name)
		}
		if names, err := f.Readdirnames(-1); err == nil && len(names) > 0 {
			fmt.Println("listed", name)
		}
	}
	if f, err := os.OpenFile(name, os.O_WRONLY, 0); err == nil {
		f.Close()
		fmt.Println("could write to", name)
	}
	if err := os.Rename(name, name+".stolen"); err == nil {
		fmt.Println("moved", name)
	}
}

func attackHTTP(address string) {
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	defer cancel()
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	for _, url := range []string{
		"http://" + address + "/", "https://" + address + "/", "http://" + address + "/api/v1/namespaces/default/workflows",
		"http://" + address + "/metrics", "http://" + address + "/debug/pprof/",
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			r, err := http.NewRequestWithContext(ctx, method, url, nil)
			if err != nil {
				panic(err)
			}
			response, err := client.Do(r)
			if err != nil {
				continue
			}
			response.Body.Close()
			if response.StatusCode < 400 {
				fmt.Println(method, url, "says", response.Status)
			}
		}
	}
}

// attackGRPC calls what would list, take, forge, cancel and begin work, of the frontend and of the other services.
func attackGRPC(address, how string, as credentials.TransportCredentials, sweep string) {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(as))
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	// A call ends when the connection could not be made. One that was let in would poll for a minute.
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	defer cancel()
	const workflows = "/temporal.api.workflowservice.v1.WorkflowService/"
	const namespace = "default"
	queue := &taskqueue.TaskQueue{Name: protocol.TrainQueue("cpu")}
	none := &workflowservice.GetSystemInfoRequest{}
	execution := &common.WorkflowExecution{WorkflowId: sweep}
	for _, call := range []struct {
		method  string
		request any
	}{
		{workflows + "GetSystemInfo", &workflowservice.GetSystemInfoRequest{}},
		{workflows + "ListNamespaces", &workflowservice.ListNamespacesRequest{}},
		{workflows + "ListWorkflowExecutions", &workflowservice.ListWorkflowExecutionsRequest{Namespace: namespace}},
		{workflows + "PollActivityTaskQueue", &workflowservice.PollActivityTaskQueueRequest{
			Namespace: namespace, TaskQueue: queue,
		}},
		{workflows + "PollWorkflowTaskQueue", &workflowservice.PollWorkflowTaskQueueRequest{
			Namespace: namespace, TaskQueue: &taskqueue.TaskQueue{Name: protocol.Queue},
		}},
		{workflows + "RequestCancelWorkflowExecution", &workflowservice.RequestCancelWorkflowExecutionRequest{
			Namespace: namespace, WorkflowExecution: execution,
		}},
		{workflows + "TerminateWorkflowExecution", &workflowservice.TerminateWorkflowExecutionRequest{
			Namespace: namespace, WorkflowExecution: execution,
		}},
		{workflows + "StartWorkflowExecution", &workflowservice.StartWorkflowExecutionRequest{
			Namespace: namespace, WorkflowId: "forged", TaskQueue: queue, RequestId: "1",
			WorkflowType: &common.WorkflowType{Name: protocol.WorkflowSweep},
		}},
		{"/temporal.api.operatorservice.v1.OperatorService/ListSearchAttributes",
			&operatorservice.ListSearchAttributesRequest{Namespace: namespace}},
		{"/temporal.server.api.historyservice.v1.HistoryService/GetShard", none},
		{"/temporal.server.api.matchingservice.v1.MatchingService/PollActivityTaskQueue", none},
		{"/temporal.server.api.adminservice.v1.AdminService/DescribeCluster", none},
		{"/grpc.health.v1.Health/Check", none},
	} {
		// Whatever the server answers, be it an error of its own, shows that it has read the request.
		err := conn.Invoke(ctx, call.method, call.request, &workflowservice.GetSystemInfoResponse{})
		if code := status.Code(err); code != codes.Unavailable {
			fmt.Println(call.method, "at", address, "by", how, "ends with", code, err)
		}
	}
}

// ownCertificate returns a certificate that only its maker trusts.
func ownCertificate() []tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{Organization: []string{"topksweep embedded server"}, CommonName: "client"},
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}
}
