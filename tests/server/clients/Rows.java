import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Base64;

/**
 * Runs the statements of a file, one a line in Base64, and prints their rows. Each is run as a whole, and prepared and
 * read in parts until its values come in binary.
 */
public class Rows {
  private static final int ENOUGH_TO_BE_BINARY = 6;

  public static void main(String[] arguments) throws Exception {
    try (Connection connection = DriverManager.getConnection(arguments[0], "analyst", "")) {
      connection.setAutoCommit(false);
      int number = 0;
      for (String line : Files.readAllLines(Path.of(arguments[1]))) {
        String sql = new String(Base64.getDecoder().decode(line), StandardCharsets.UTF_8);
        try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery(sql)) {
          print("whole " + number, rows);
        } catch (SQLException error) {
          System.out.println("whole " + number + " error " + error.getSQLState() + " " + error.getMessage());
        }
        connection.commit();
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
          statement.setFetchSize(50);
          for (int turn = 1; turn < ENOUGH_TO_BE_BINARY; turn++) {
            statement.executeQuery().close();
          }
          try (ResultSet rows = statement.executeQuery()) {
            print("parts " + number, rows);
          }
        } catch (SQLException error) {
          System.out.println("parts " + number + " error " + error.getSQLState() + " " + error.getMessage());
        }
        connection.commit();
        number++;
      }
    }
  }

  private static void print(String title, ResultSet rows) throws SQLException {
    int columns = rows.getMetaData().getColumnCount();
    while (rows.next()) {
      StringBuilder line = new StringBuilder(title);
      for (int number = 1; number <= columns; number++) {
        line.append(' ').append(shown(rows.getObject(number)));
      }
      System.out.println(line);
    }
  }

  private static String shown(Object value) {
    if (value == null) {
      return "null";
    }
    if (value instanceof BigDecimal) {
      return "decimal:" + ((BigDecimal) value).toPlainString();
    }
    if (value instanceof Double || value instanceof Float) {
      return "float:" + value;
    }
    if (value instanceof Number) {
      return "whole:" + value;
    }
    return "text:" + Base64.getEncoder().encodeToString(value.toString().getBytes(StandardCharsets.UTF_8));
  }
}
