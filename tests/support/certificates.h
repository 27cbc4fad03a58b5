#pragma once

#include <cstdlib>
#include <stdexcept>
#include <string>

#include "support/temporary_directory.h"

namespace pfs::test {

/// An authority, a server's certificate for `localhost` and a client's, as openssl(1) makes them.
class Certificates {
 public:
  explicit Certificates(const std::string& client_subject = "/O=Example/CN=ada") {
    authority("ca");
    signed_by("ca", "server", "/CN=localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1");
    signed_by("ca", "client", client_subject, "basicConstraints=CA:FALSE");
  }

  std::string certificate(const std::string& name) const { return directory_ / (name + ".crt"); }
  std::string key(const std::string& name) const { return directory_ / (name + ".key"); }

  void authority(const std::string& name) {
    run("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=" + name +
        " -keyout " + key(name) + " -out " + certificate(name));
  }
  void signed_by(const std::string& authority, const std::string& name, const std::string& subject,
                 const std::string& extension) {
    const std::string request = directory_ / (name + ".csr");
    run("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '" + subject + "' -keyout " +
        key(name) + " -out " + request);
    const std::string extensions = directory_ / (name + ".ext");
    if (std::system(("echo '" + extension + "' >" + extensions).c_str()) != 0)
      throw std::runtime_error("cannot write " + extensions);
    run("x509 -req -days 2 -CAcreateserial -in " + request + " -CA " + certificate(authority) +
        " -CAkey " + key(authority) + " -extfile " + extensions + " -out " + certificate(name));
  }

 private:
  static void run(const std::string& arguments) {
    if (std::system(("openssl " + arguments + " 2>/dev/null").c_str()) != 0)
      throw std::runtime_error("openssl " + arguments);
  }

  TemporaryDirectory directory_;
};

}  // namespace pfs::test
