// Echo answers every request with what it saw of it, as JSON. HTTP/1.1 and HTTP/2 without TLS on one port.
//
//	?status=503   answers with that status
//	?ms=200       answers after that many milliseconds
package main

import (
	"context"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

type answer struct {
	Hostname string      `json:"hostname"`
	Version  string      `json:"version"`
	Method   string      `json:"method"`
	Host     string      `json:"host"`
	Path     string      `json:"path"`
	Protocol string      `json:"protocol"`
	Remote   string      `json:"remote"`
	Headers  http.Header `json:"headers"`
}

func echo(response http.ResponseWriter, request *http.Request) {
	query := request.URL.Query()
	if wait, err := strconv.Atoi(query.Get("ms")); err == nil {
		time.Sleep(time.Duration(wait) * time.Millisecond)
	}
	status := http.StatusOK
	if wanted, err := strconv.Atoi(query.Get("status")); err == nil && wanted >= 200 && wanted < 600 {
		status = wanted
	}
	hostname, _ := os.Hostname()
	response.Header().Set("content-type", "application/json")
	response.WriteHeader(status)
	json.NewEncoder(response).Encode(answer{
		Hostname: hostname, Version: os.Getenv("VERSION"), Method: request.Method, Host: request.Host,
		Path: request.URL.RequestURI(), Protocol: request.Proto, Remote: request.RemoteAddr, Headers: request.Header,
	})
}

func main() {
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Addr: ":" + port, Handler: http.HandlerFunc(echo), Protocols: protocols}
	go func() {
		log.Printf("echo listens on :%s", port)
		if err := server.ListenAndServe(); err != http.ErrServerClosed {
			log.Fatal(err)
		}
	}()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	<-stop
	server.Shutdown(context.Background())
}
